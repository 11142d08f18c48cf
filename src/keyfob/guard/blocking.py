"""The guard for handlers that block: one event loop, in a thread of its own, judges for the threads of a process."""

import asyncio
import os
import threading
import weakref
from collections.abc import Coroutine
from typing import Any

from keyfob.guard.guard import Guard
from keyfob.guard.presented import Presented
from keyfob.oauth.access_token import AccessToken


class BlockingGuard:
    """Judges as `guard` does, from any thread. Begins anew in a process that was forked."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        if hasattr(os, "register_at_fork"):
            # Of the parent's threads, none goes on in the child; its lock may be held for ever.
            reference = weakref.ref(self)
            os.register_at_fork(after_in_child=lambda: _reset(reference))

    def admit(self, presented: Presented, scope: str) -> AccessToken:
        """The token of a request that may do what needs `scope`. Raises what `Guard.admit` raises."""
        return asyncio.run_coroutine_threadsafe(self._admit(presented, scope), self._started()).result()

    async def admit_soon(self, presented: Presented, scope: str) -> AccessToken:
        """`admit` for who waits in another event loop."""
        return await asyncio.wrap_future(
            asyncio.run_coroutine_threadsafe(self._admit(presented, scope), self._started())
        )

    def _admit(self, presented: Presented, scope: str) -> Coroutine[Any, Any, AccessToken]:
        return presented.admit(self._guard, scope)

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
