"""The issuer's time, as far as its answers tell it (RFC 9110 §6.6.1): what is signed here must be of its now."""

from collections.abc import Callable

from keyfob.oauth import http_date
from keyfob.oauth.wire import Headers

TOLERATED = 5
"""Seconds that this machine's clock may differ: whoever checks a signature allows for more."""


class IssuerClock:
    """`wall_clock`, set right by what was measured. `ahead`: how many seconds it is ahead, 0 for what is tolerated."""

    def __init__(self, wall_clock: Callable[[], float]) -> None:
        self._wall_clock = wall_clock
        self.ahead = 0

    def now(self) -> int:
        """Seconds since 1970."""
        return int(self._wall_clock()) - self.ahead

    def compare(self, headers: Headers, *, took: float) -> bool:
        """Measure by an answer's Date; whether something else is known now. One that took long tells nothing."""
        said = http_date.read_date(headers)
        if said is None or took > TOLERATED:
            return False
        before, ahead = self.ahead, round(self._wall_clock() - said)
        self.ahead = ahead if abs(ahead) > TOLERATED else 0
        return abs(self.ahead - before) > TOLERATED
