"""The alarms of a running server: what the watch finds is logged, and posted to every sink."""

import logging
from collections.abc import Sequence

from keyfob.ambient import Entropy
from keyfob.server.alarms.alarm import Alarm, AlarmKind
from keyfob.server.alarms.courier import Courier, Sink
from keyfob.server.alarms.watch import Event, Watch
from keyfob.server.lifecycle.leaks import Outcome, Reported
from keyfob.server.refusals.explanation import Explanation
from keyfob.server.storage.records import DoubtfulFirstUse

_log = logging.getLogger("keyfob.server")


class Bell:
    """Without a sink, alarms are still in the log."""

    def __init__(self, watch: Watch, sinks: Sequence[Sink], *, issuer: str, entropy: Entropy) -> None:
        self._watch = watch
        self._couriers = tuple(Courier(sink) for sink in sinks)
        self._issuer = issuer
        self._entropy = entropy

    def refused(self, explained: Sequence[Explanation], now: int) -> None:
        """Told behind the answers, of a batch of refusals."""
        for event in self._watch.refused(explained):
            self._ring(event, now)

    def first_used(self, doubtful: Sequence[DoubtfulFirstUse], now: int) -> None:
        """Told behind the grants: each secret that was used for the first time from an unexpected place."""
        for one in doubtful:
            kind, subject = AlarmKind.FIRST_USE_UNEXPECTED, f"credential {one.credential_id}"
            event = Event(kind, subject, one.client_id, one.address)
            if (told := self._watch.admit(event, now)) is not None:
                _log.warning("first_use_unexpected credential_id=%s reason=%s", one.credential_id, one.doubt)
                self._ring(told, now)

    def succeeded(self, client_id: str) -> None:
        self._watch.succeeded(client_id)

    def emergency_used(self, client_id: str, *, address: str, now: int) -> None:
        """A client that was made for an emergency got a token."""
        self._tell(Event(AlarmKind.EMERGENCY_ACCESS_USED, f"client {client_id}", client_id, address), now)

    def audit_failed(self, now: int) -> None:
        """A record could not be made durable."""
        self._tell(Event(AlarmKind.AUDIT_FAILED, "audit"), now)

    def signing_failed(self, now: int) -> None:
        """A key that lies elsewhere did not sign."""
        self._tell(Event(AlarmKind.SIGNING_FAILED, "signing key"), now)

    def leaked(self, reported: Reported, *, address: str, error_id: str, now: int) -> None:
        """Something of ours was presented as leaked; louder when it was its client's last secret."""
        is_last = reported.outcome is Outcome.LAST_WITHDRAWN
        kind = AlarmKind.LAST_SECRET_REPORTED if is_last else AlarmKind.SECRET_REPORTED
        self._tell(Event(kind, reported.owner or "-", reported.client_id, address, error_id), now)

    def close(self) -> None:
        """What is under way gets a few seconds. Blocking: for a thread."""
        for courier in self._couriers:
            courier.close()

    def _tell(self, seen: Event, now: int) -> None:
        event = self._watch.admit(seen, now)
        if event is not None:
            self._ring(event, now)

    def _ring(self, event: Event, now: int) -> None:
        alarm = make(event, issuer=self._issuer, now=now, entropy=self._entropy)
        told = (alarm.kind, alarm.subject, alarm.address, alarm.error_id, alarm.held_back, alarm.id)
        _log.warning("alarm kind=%s subject=%s address=%s error_id=%s held_back=%d id=%s", *told)
        for courier in self._couriers:
            courier.post(alarm)


def make(event: Event, *, issuer: str, now: int, entropy: Entropy) -> Alarm:
    """The alarm that tells `event`, with an id of its own."""
    return Alarm(
        id=f"alarm_{entropy(16).hex()}",
        kind=event.kind,
        at=now,
        issuer=issuer,
        subject=event.subject,
        client_id=event.client_id,
        address=event.address,
        error_id=event.error_id,
        held_back=event.held_back,
    )
