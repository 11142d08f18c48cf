"""RFC 9449 §11.1: a proof works once. What was used is remembered until it could not work again anyway."""

import heapq
from typing import Protocol

from keyfob.guard.errors import IssuerUnavailable

_MAX_REMEMBERED = 200_000


class Replays(Protocol):
    """Where used proofs are remembered. Several processes in front of one API must share one."""

    async def use(self, name: str, *, until: int, now: int) -> bool:
        """Whether nobody has used `name` before; from now to `until` it counts as used. Raises IssuerUnavailable."""
        ...


class MemoryReplays:
    """This process's own memory: for an API of one process."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._ends: list[tuple[int, str]] = []

    async def use(self, name: str, *, until: int, now: int) -> bool:
        while self._ends and self._ends[0][0] <= now:
            self._used.discard(heapq.heappop(self._ends)[1])
        if name in self._used:
            return False
        # To forget one would be to admit it again: whoever floods us with good proofs waits, and nobody is replayed.
        if len(self._used) >= _MAX_REMEMBERED:
            raise IssuerUnavailable(detail="too many proofs of possession at once")
        self._used.add(name)
        heapq.heappush(self._ends, (until, name))
        return True
