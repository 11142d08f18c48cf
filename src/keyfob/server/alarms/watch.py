"""What counts as attempted misuse, and how often it is told. Counts are this process's own, and bounded."""

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from keyfob.server.alarms.alarm import AlarmKind
from keyfob.server.refusals.causes import Cause
from keyfob.server.refusals.explanation import Explanation
from keyfob.server.throttle import MAX_IN_A_ROW
from keyfob.serving.rates import Bucket, network_of

PER_KIND_AND_HOUR = 20
"""However many subjects an attacker makes up: of one kind so many alarms an hour, and none of another kind's."""
_HOUR = 3600
_MAX_COUNTED = 65_536

_ONE_BY_ONE = {
    Cause.CREDENTIAL_REVOKED: AlarmKind.REVOKED_CREDENTIAL_USED,
    Cause.CLIENT_REVOKED: AlarmKind.REVOKED_CREDENTIAL_USED,
    Cause.CREDENTIAL_RETIRED: AlarmKind.RETIRED_CREDENTIAL_USED,
    Cause.ADDRESS_NOT_ALLOWED: AlarmKind.ADDRESS_NOT_ALLOWED,
    Cause.SECRET_IN_URL: AlarmKind.SECRET_EXPOSED,
    Cause.SWAPPED: AlarmKind.SECRET_EXPOSED,
    Cause.REGISTRATION_TOKEN_REPLAYED: AlarmKind.REGISTRATION_TOKEN_MISUSED,
    Cause.REGISTRATION_OF_ANOTHER: AlarmKind.REGISTRATION_TOKEN_MISUSED,
    Cause.REGISTRATION_WITHDRAWN: AlarmKind.REGISTRATION_TOKEN_MISUSED,
    Cause.REGISTRATION_USED_UP: AlarmKind.REGISTRATION_TOKEN_MISUSED,
}


@dataclass(frozen=True, slots=True)
class Event:
    """Worth telling: `held_back` others like it came before and were not told."""

    kind: AlarmKind
    subject: str
    client_id: str | None = None
    address: str | None = None
    error_id: str | None = None
    held_back: int = 0


class Watch:
    """`network_failures`: how many failures of one network an hour are nothing special. `repeat_after`: seconds.

    Safe to use from threads.
    """

    def __init__(self, *, network_failures: int, repeat_after: int) -> None:
        self._networks = Bucket(network_failures, _HOUR)
        self._subjects = Bucket(1, repeat_after)
        self._kinds = Bucket(PER_KIND_AND_HOUR, _HOUR)
        self._in_a_row: OrderedDict[str, int] = OrderedDict()
        self._held_back: OrderedDict[tuple[AlarmKind, str], int] = OrderedDict()
        self._lock = threading.Lock()

    def refused(self, explained: Sequence[Explanation]) -> list[Event]:
        """What is to be told of these refusals."""
        with self._lock:
            found = [self._told(event, one.at) for one in explained for event in self._events(one)]
        return [event for event in found if event is not None]

    def succeeded(self, client_id: str) -> None:
        """The client proved who it is: its failures in a row are over."""
        self._in_a_row.pop(client_id, None)

    def admit(self, event: Event, now: int) -> Event | None:
        """An event that was seen elsewhere; None when it is held back."""
        with self._lock:
            return self._told(event, now)

    def _events(self, one: Explanation) -> list[Event]:
        network = f"network {network_of(one.address)}"
        client = network if one.client_id is None else f"client {one.client_id}"
        kinds = [(_ONE_BY_ONE[one.cause], client)] if one.cause in _ONE_BY_ONE else []
        if one.error in ("invalid_client", "invalid_token", "too_many_requests") and one.cause is not Cause.QUOTA:
            if self._networks.take(network, one.at):
                kinds.append((AlarmKind.NETWORK_FAILED_OFTEN, network))
            if one.client_id is not None and self._fails_again(one.client_id):
                kinds.append((AlarmKind.CLIENT_FAILED_IN_A_ROW, client))
        return [Event(kind, subject, one.client_id, one.address, one.error_id) for kind, subject in kinds]

    def _fails_again(self, client_id: str) -> bool:
        """Whether this was the hundredth failure in a row. The count then begins anew."""
        count = self._in_a_row.pop(client_id, 0) + 1
        self._in_a_row[client_id] = count % MAX_IN_A_ROW
        _bound(self._in_a_row)
        return count >= MAX_IN_A_ROW

    def _told(self, event: Event, now: int) -> Event | None:
        """`event` with the count of those before it that were not told; None when it is one of them itself."""
        key = (event.kind, event.subject)
        if self._subjects.take(key, now) == 0:
            if self._kinds.take(event.kind, now) == 0:
                return replace(event, held_back=self._held_back.pop(key, 0))
            self._subjects.forget(key)
        self._held_back[key] = self._held_back.pop(key, 0) + 1
        _bound(self._held_back)
        return None


def _bound(counts: OrderedDict[str, int] | OrderedDict[tuple[AlarmKind, str], int]) -> None:
    if len(counts) > _MAX_COUNTED:
        counts.popitem(last=False)
