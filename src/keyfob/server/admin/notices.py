"""The operations on notices: what was told to whom, what was not, and whether notices get there."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from keyfob.problem import Misuse, Problem
from keyfob.server.admin.desk import Desk, Document
from keyfob.server.admin.operation import Nothing, Operation
from keyfob.server.alarms.courier import NotDelivered
from keyfob.server.notices.notice import Notice, NoticeKind, Role
from keyfob.server.storage.outbox import DeliveryState, Parcel

MAX_SHOWN = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    count: Annotated[int, Meta(ge=1, le=MAX_SHOWN)] = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Retrial:
    """`notices`, by their ids, or `every` one that was given up."""

    notices: Annotated[tuple[Annotated[str, Meta(min_length=1, max_length=64)], ...], Meta(max_length=500)] = ()
    every: bool = False
    dry_run: bool = False


def _list(desk: Desk, asked: Newest) -> Document:
    outbox = desk.installation.store.outbox
    found, unsettled = outbox.newest(asked.count), outbox.unsettled()
    waiting = outbox.unrouted() + sum(one.state is DeliveryState.WAITING for one in unsettled)
    return {"waiting": waiting, "notices": [document(one) for one in found]}


def _retry(desk: Desk, asked: Retrial) -> Document:
    if bool(asked.notices) == asked.every:
        raise Misuse("notices-missing", "name the notices, or give --all", hint="keyfob-server notice list")
    ids = None if asked.every else asked.notices
    count = desk.installation.store.outbox.retry(ids, desk.clock(), dry_run=asked.dry_run)
    if not count and not asked.every:
        raise Misuse("unknown-notice", "none of these was given up", hint="keyfob-server notice list")
    return {"dry_run": True, "would_try_again": count} if asked.dry_run else {"tried_again": count}


def _test(desk: Desk, _asked: Nothing) -> Document:
    ways = desk.ways()
    names = () if ways is None else ways.names()[Role.OPERATOR]
    if ways is None or not names:
        raise Problem("no-notices", "no way for notices is set", hint="set mail.host, alarms.webhook or alarms.syslog")
    told = Notice(NoticeKind.TEST, desk.entropy(8).hex(), Role.OPERATOR, desk.clock())
    failed: list[str] = []
    for name in names:
        try:
            ways.deliver(told, name, email=None)
        except NotDelivered as reason:
            failed.append(f"{name}: {reason}")
    if failed:
        raise Problem("notice-not-delivered", "; ".join(failed), hint="mend it, then: keyfob-server notice test")
    return {"id": told.id, "delivered": list(names)}


def document(parcel: Parcel) -> Document:
    return {
        "id": parcel.notice.id,
        "kind": parcel.notice.kind.value,
        "subject": parcel.notice.subject,
        "recipient": parcel.notice.recipient.value,
        "partner": parcel.partner,
        "at": parcel.notice.at,
        "channel": parcel.channel,
        "state": parcel.state.value,
        "attempts": parcel.attempts,
        "reason": parcel.reason,
    }


_ALL = "/admin/v1/notices"
_SCOPE = "admin:alarms"
LIST = Operation("notice.list", "notice list", "GET", _ALL, "admin:read", Newest, _list, "The last notices")
RETRY = Operation(
    "notice.retry", "notice retry", "POST", _ALL + "/retry", _SCOPE, Retrial, _retry, "Try again what was given up"
)
TEST = Operation("notice.test", "notice test", "POST", _ALL + "/test", _SCOPE, Nothing, _test, "Send a test notice")
OPERATIONS = (LIST, RETRY, TEST)
