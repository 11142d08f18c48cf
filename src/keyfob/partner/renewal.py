"""When a token is renewed, and when a refusing issuer is asked again: pure arithmetic on a monotonic clock.

A token has three times, as shares of its lifetime, so that they fit one of 10 seconds as well as one of a day:

    from renew_at    whoever comes first asks for the next one, the others go on with it
    from wait_at     all wait for the next one
    from expires_at  it is not used any more

Each `chance` is a number from 0 to 1, drawn anew: programs that were started together do not ask together for ever.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from keyfob.partner.errors import TokenDenied, Unreachable

_RENEW_SHARE, _WAIT_SHARE = (0.25, 0.35), (0.05, 0.1)
"""Of the lifetime, counted from its end; the one or the other, and whatever lies between."""
_FIRST_PAUSE, _LONGEST_PAUSE = 1, 60
_LONGEST_RETRY_AFTER = 300
_SPREAD = 0.1  # of Retry-After, added by chance: never before the time that was said
_FIRST_STOP, _LONGEST_STOP = 60, 3600  # seconds without asking after invalid_client, doubled from the one to the other


@dataclass(frozen=True, slots=True)
class Times:
    """Readings of the clock that `times` was given."""

    renew_at: float
    wait_at: float
    expires_at: float


def times(asked_at: float, lifetime: float, *, chance: float) -> Times:
    """The times of a token that was asked for at `asked_at`: it was issued no earlier."""
    expires_at = asked_at + lifetime
    early, late = (least + (most - least) * chance for least, most in (_RENEW_SHARE, _WAIT_SHARE))
    return Times(expires_at - lifetime * early, expires_at - lifetime * late, expires_at)


def pause(retry_after: int | None, failures: int, *, chance: float) -> float:
    """Seconds without asking after `failures` (1 or more) in a row: what the server said, else twice as long each time.

    Capped, whatever the server says: a wrong header must not silence a partner for a day.
    """
    if retry_after is not None:
        return min(retry_after, _LONGEST_RETRY_AFTER) * (1 + _SPREAD * chance)
    longest: float = min(_FIRST_PAUSE * 2.0 ** min(failures - 1, 10), _LONGEST_PAUSE)
    return longest * (1 + chance) / 2


@dataclass(frozen=True, slots=True)
class Stop:
    """A while without asking. `refusal` makes a new error each time: one that is kept would keep its callers alive."""

    refusal: Callable[..., TokenDenied | Unreachable]
    seconds: float
    until: float

    def check(self, now: float) -> None:
        """Raises the refusal while the stop lasts."""
        if now < self.until:
            raise self.refusal(asked_again_in=math.ceil(self.until - now))


def next_stop(last: Stop | None, now: float) -> float:
    """Seconds. A suspended client may be resumed, so a stop ends; when that was in vain, the next is twice as long."""
    if last is None:
        return _FIRST_STOP
    return last.seconds if now < last.until else min(2 * last.seconds, _LONGEST_STOP)
