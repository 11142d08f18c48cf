"""The life of a signing key: next (published), current (signs), retired (published until its last token is dead), gone.

Each phase follows from dates alone: nothing has to happen at a certain moment, on any node, for a key to change.
"""

from collections.abc import Sequence
from enum import StrEnum

from keyfob.server.audit.events import Kind
from keyfob.server.storage.change import Change
from keyfob.server.storage.records import SigningKeyRecord

DAY = 24 * 3600
PUBLISHED_AHEAD = 900
"""Seconds: guards keep a key set for ten minutes, and must know a key before it signs."""
OUTLIVES = 900 + 60
"""Seconds that a retired key stays published: the longest token, and clocks that differ."""


class Phase(StrEnum):
    NEXT = "next"
    CURRENT = "current"
    RETIRED = "retired"
    GONE = "gone"


def phases(keys: Sequence[SigningKeyRecord], now: int) -> list[tuple[SigningKeyRecord, Phase]]:
    """Each key with its phase, the newest first. Exactly one is current, unless there is none at all."""
    ordered = sorted(keys, key=lambda key: (key.not_before, key.created_at, key.kid), reverse=True)
    found: list[tuple[SigningKeyRecord, Phase]] = []
    successor: SigningKeyRecord | None = None
    for number, key in enumerate(ordered):
        # The oldest signs also when the clock says that its time has not come: nothing else could.
        is_last = number == len(ordered) - 1
        if successor is not None:
            phase = Phase.RETIRED if now < successor.not_before + OUTLIVES else Phase.GONE
        elif key.not_before <= now or is_last:
            phase = Phase.CURRENT
        else:
            phase = Phase.NEXT
        found.append((key, phase))
        if phase is not Phase.NEXT:
            successor = key
    return found


def is_due(keys: Sequence[SigningKeyRecord], now: int, *, period: int) -> bool:
    """Whether a successor of the current key should be made now; `period` in seconds, 0 for never.

    Where there is none at all (a home of an older version), one is due at once.
    """
    found = phases(keys, now)
    if not found:
        return True
    if period == 0 or any(phase is Phase.NEXT for _, phase in found):
        return False
    current = next((key for key, phase in found if phase is Phase.CURRENT), None)
    return current is None or now + PUBLISHED_AHEAD >= current.not_before + period


def add(change: Change, key: SigningKeyRecord) -> None:
    """Put a key into the line, with its record. It signs from its `not_before` on."""
    change.add_signing_key(key)
    change.record(
        Kind.SIGNING_KEY_CREATED,
        kid=key.kid,
        purpose=key.purpose.value,
        algorithm=key.algorithm,
        not_before=key.not_before,
    )
