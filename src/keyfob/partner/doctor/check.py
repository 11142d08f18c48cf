"""What a check is, and what comes of one. Values only."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum

from keyfob.partner.doctor.scene import Scene


class Status(StrEnum):
    """`UNKNOWN`: it cannot be known here, and that is said; it is no failure."""

    PASS = "pass"  # noqa: S105
    UNKNOWN = "unknown"
    WARN = "warn"
    FAIL = "fail"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What was seen, in one line, more of it in `details`, and the command that mends it, where there is one."""

    status: Status
    said: str
    mend: str = ""
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """`look` tells what it saw; what it cannot see it tells as UNKNOWN, and raises nothing for."""

    name: str
    why: str
    look: Callable[[Scene], Outcome]


def passed(said: str, details: Iterable[str] = ()) -> Outcome:
    return Outcome(Status.PASS, said, details=tuple(details))


def unknown(said: str, mend: str = "") -> Outcome:
    return Outcome(Status.UNKNOWN, said, mend)


def warned(said: str, mend: str, details: Iterable[str] = ()) -> Outcome:
    return Outcome(Status.WARN, said, mend, tuple(details))


def failed(said: str, mend: str, details: Iterable[str] = ()) -> Outcome:
    return Outcome(Status.FAIL, said, mend, tuple(details))


_ORDER = (Status.FAIL, Status.WARN, Status.UNKNOWN, Status.PASS)


def worst(outcomes: Iterable[Outcome], *, otherwise: Outcome) -> Outcome:
    """The worst of several, with the others' lines as its details; `otherwise` where there are none."""
    ordered = sorted(outcomes, key=lambda one: _ORDER.index(one.status))
    if not ordered:
        return otherwise
    first, *others = ordered
    details = (*first.details, *(f"{one.status}: {one.said}" for one in others))
    return Outcome(first.status, first.said, first.mend, details)
