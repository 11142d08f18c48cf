"""The operation that tries where alarms go."""

from keyfob.problem import Problem
from keyfob.server.admin.desk import Desk, Document
from keyfob.server.admin.operation import Nothing, Operation
from keyfob.server.alarms import bell
from keyfob.server.alarms.alarm import AlarmKind
from keyfob.server.alarms.courier import NotDelivered
from keyfob.server.alarms.watch import Event


def _test(desk: Desk, _asked: Nothing) -> Document:
    now = desk.clock()
    found = desk.sinks()
    if not found:
        raise Problem("no-alarms", "no place for alarms is set", hint="set alarms.webhook or alarms.syslog")
    told = bell.make(
        Event(AlarmKind.TEST, "test"), issuer=desk.installation.settings.issuer, now=now, entropy=desk.entropy
    )
    failed: list[str] = []
    for sink in found:
        try:
            sink.deliver(told)
        except NotDelivered as reason:
            failed.append(f"{sink.name}: {reason}")
    if failed:
        raise Problem("alarm-not-delivered", "; ".join(failed), hint="mend it, then: keyfob-server alarm test")
    return {"id": told.id, "delivered": [sink.name for sink in found]}


TEST = Operation(
    "alarm.test", "alarm test", "POST", "/admin/v1/alarms/test", "admin:alarms", Nothing, _test, "Send a test alarm"
)
OPERATIONS = (TEST,)
