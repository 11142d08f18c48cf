"""RFC 9449 §11.1: a proof works once. What was used is remembered until it could not work again anyway."""

import hashlib
import heapq
import logging
import os
import socket
import sys
from typing import Protocol

from keyfob.guard.errors import IssuerUnavailable

_MAX_REMEMBERED = 200_000

_log = logging.getLogger("keyfob.guard")


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


class LoneReplays:
    """This process's own memory, as long as no other process of the machine has one for the same `api`.

    The first process to take a proof holds a name of the kernel's, which is free again when it ends, however it ends;
    in another, proofs are refused (503), since it cannot know which were used. Where the kernel has no such names (only
    Linux has), and between containers, that is not seen.
    """

    def __init__(self, api: str) -> None:
        self._name = f"keyfob guard {os.getuid() if hasattr(os, 'getuid') else 0} {_digest(api)}"
        self._memory = MemoryReplays()
        self._has_said_so = False

    async def use(self, name: str, *, until: int, now: int) -> bool:
        """See Replays."""
        if not _holds(self._name):
            if not self._has_said_so:
                self._has_said_so = True
                _log.error(
                    "proofs_refused reason=another process judges for the same API, and they share no memory "
                    'hint=give Guard.discover(..., replays=FileReplays("FILE"))'
                )
            raise IssuerUnavailable(detail="another process has the memory of used proofs")
        return await self._memory.use(name, until=until, now=now)


_held: dict[str, tuple[int, int]] = {}
"""By name: the process that holds it, and its socket, never closed. A process that was forked has not the name."""


def _holds(name: str) -> bool:
    if sys.platform != "linux":
        return True
    held = _held.get(name)
    if held is not None and held[0] == os.getpid():
        return True
    if held is not None:
        os.close(held[1])  # the parent's copy stays: while it lives, the name is its own
        del _held[name]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taken:
        try:
            taken.bind("\0" + name)
        except OSError:
            return False
        _held[name] = os.getpid(), taken.detach()
    return True


def _digest(api: str) -> str:
    return hashlib.sha256(api.encode()).hexdigest()[:32]
