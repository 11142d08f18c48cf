"""How one credential follows another. Pure: which credential an act concerns, and what becomes of it.

A rotation adds a successor and takes nothing away. The successor's first use starts the overlap of the credential that
it replaces, so that many instances of one partner never break; a successor that nobody opens expires by itself, having
replaced nothing and shortened nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from keyfob.problem import Misuse
from keyfob.server.lifecycle.states import USABLE, Event, after, effective
from keyfob.server.storage.records import Credential, State

DAY = 24 * 60 * 60
UNOPENED_LIFETIME = 14 * DAY


@dataclass(frozen=True, slots=True)
class Retirement:
    """`credential_id` goes to `state`, and stops working at `overlap_ends_at`."""

    credential_id: str
    state: State
    overlap_ends_at: int


def on_first_use(credentials: Sequence[Credential], credential_id: str, now: int) -> Retirement | None:
    """What the first use of `credential_id` does to the credential that it replaces; None when it does nothing."""
    successor = next((one for one in credentials if one.id == credential_id), None)
    if successor is None or successor.replaces is None:
        return None
    # Its request began before it was replaced or revoked, and is recorded now: what is over takes nothing with it.
    if effective(successor, now) not in USABLE:
        return None
    replaced = next(one for one in credentials if one.id == successor.replaces)
    if effective(replaced, now) is not State.ACTIVE:
        return None
    return Retirement(replaced.id, after(State.ACTIVE, Event.SUCCESSOR_USED), now + successor.overlap)


def current(credentials: Sequence[Credential], now: int) -> Credential | None:
    """The credential that a new successor replaces: the newest active one that is no unopened successor itself."""
    unopened = unopened_successors(credentials, now)
    active = [one for one in credentials if effective(one, now) is State.ACTIVE and one not in unopened]
    return active[-1] if active else None


def unopened_successors(credentials: Sequence[Credential], now: int) -> tuple[Credential, ...]:
    """Successors that may still be used for the first time: one at most, and the operator's next rotation retires it.

    `credentials` are all that the client ever had: the first is no successor, and never in the way of one.
    """
    return tuple(
        one
        for one in credentials[1:]
        if one.first_use_by is not None and one.first_used_at is None and effective(one, now) is State.ACTIVE
    )


def next_issued_at(credentials: Sequence[Credential], now: int) -> int:
    """The date of the next message: now, but later than every one before, since it is how a partner orders them."""
    return max([now, *(1 + (one.sealed_at or 0) for one in credentials)])


def check_may_follow(credentials: Sequence[Credential], client_id: str) -> None:
    """Raises Misuse where nothing may: what is for an emergency ends with it."""
    if any(one.emergency for one in credentials):
        raise Misuse(
            "emergency-access",
            f"{client_id} is for an emergency: its credential has no successor",
            hint="client create --emergency makes another, for a few hours",
        )


def retiring(credentials: Sequence[Credential], now: int) -> tuple[Credential, ...]:
    """Credentials in their overlap."""
    return tuple(one for one in credentials if effective(one, now) is State.RETIRING)
