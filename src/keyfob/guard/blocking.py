"""The guard for handlers that block: one event loop, in a thread of its own, judges for the threads of a process."""

import asyncio
import os
import threading
import weakref
from collections import deque

from keyfob.guard.guard import Guard
from keyfob.guard.presented import Presented
from keyfob.oauth.access_token import AccessToken


class BlockingGuard:
    """Judges as `guard` does, from any thread. Begins anew in a process that was forked.

    A token that was admitted before is judged in the thread that asks, as long as nobody has to be asked for it: to go
    through the loop costs ten times as much.
    """

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._used: deque[tuple[AccessToken, str, str, str]] = deque()
        if hasattr(os, "register_at_fork"):
            # Of the parent's threads, none goes on in the child; its lock may be held for ever.
            reference = weakref.ref(self)
            os.register_at_fork(after_in_child=lambda: _reset(reference))

    def admit(self, presented: Presented, scope: str) -> AccessToken:
        """The token of a request that may do what needs `scope`. Raises what `Guard.admit` raises."""
        known = self._recall(presented, scope)
        if known is not None:
            return known
        return asyncio.run_coroutine_threadsafe(self._admit(presented, scope), self._started()).result()

    async def admit_soon(self, presented: Presented, scope: str) -> AccessToken:
        """`admit` for who waits in another event loop."""
        known = self._recall(presented, scope)
        if known is not None:
            return known
        return await asyncio.wrap_future(
            asyncio.run_coroutine_threadsafe(self._admit(presented, scope), self._started())
        )

    def _recall(self, presented: Presented, scope: str) -> AccessToken | None:
        token = presented.recall(self._guard, scope)
        if token is not None and self._guard.tells_use:
            # Counted in the loop's thread when it next runs, which the feed's age makes it do every two seconds.
            self._used.append((token, scope, presented.method, presented.route))
        return token

    async def _admit(self, presented: Presented, scope: str) -> AccessToken:
        while self._used:
            token, used, method, route = self._used.popleft()
            self._guard.count_use(token, used, method=method, route=route)
        return await presented.admit(self._guard, scope)

    def _started(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(target=self._loop.run_forever, name="keyfob-guard", daemon=True).start()
            return self._loop

    def begin_anew(self) -> None:
        """In a process that was forked."""
        self._lock = threading.Lock()
        self._loop = None
        self._used.clear()  # the parent tells of those


_KNOWN: weakref.WeakKeyDictionary[Guard, BlockingGuard] = weakref.WeakKeyDictionary()
_LOCK = threading.Lock()


def blocking(guard: Guard) -> BlockingGuard:
    """The one BlockingGuard of `guard`: a guard's memory is for one event loop at a time."""
    with _LOCK:
        found = _KNOWN.get(guard)
        if found is None:
            found = _KNOWN[guard] = BlockingGuard(guard)
        return found


def _reset(reference: "weakref.ref[BlockingGuard]") -> None:
    found = reference()
    if found is not None:
        found.begin_anew()
