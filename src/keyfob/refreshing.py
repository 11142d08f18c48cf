"""Something of another server's that is kept fresh while requests go on: an issuer's keys, a client's.

It is fetched anew when it is getting old, by one fetch at a time, and only when somebody needs it. A request waits for
a fetch only where what is at hand is too old, and never long; a server that is away slows nobody down: what is known
is used for as long as it may be believed.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from keyfob.ambient import Clock

_log = logging.getLogger("keyfob.refreshing")
_DEADLINE = 5.0
"""Seconds for one fetch as a whole, however slowly it drips."""
_PATIENCE = 1.0
"""Seconds that a request waits for a fetch when it could also go on without."""
_SAY_AGAIN = 60

T = TypeVar("T")


class Unavailable(Exception):
    """There is nothing that may be believed."""


class CannotFetch(Exception):
    """It could not be fetched; the text says why and holds nothing secret."""


@dataclass(frozen=True, slots=True)
class Ages:
    """In seconds: when to renew, when a request waits for it, and until when it may be believed at all.

    `cooldown`: between the end of one fetch and the next, so that nobody can make us hammer the issuer.
    """

    renew: int
    wait: int
    good: int
    cooldown: int


class Refreshing(Generic[T]):
    """The newest value that `fetch` gave; `fetch` is given the one before. `what`: its name in the log."""

    def __init__(self, fetch: Callable[[T | None], Awaitable[T]], ages: Ages, *, what: str, clock: Clock) -> None:
        self._fetch = fetch
        self._ages = ages
        self._what = what
        self._clock = clock
        self._known: T | None = None
        self._at = 0
        self._ended_at: int | None = None
        self._is_failing = False
        self._said_at: int | None = None
        self._task: asyncio.Task[None] | None = None

    async def get(self, now: int) -> T:
        """The value to decide with. Raises Unavailable when there is none that may be believed."""
        if self._known is None or self._age(now) >= self._ages.renew:
            before = self._task
            task = self._start(now)
            if task is not None and (self._known is None or self._age(now) >= self._ages.good):
                await asyncio.wait({task})
            # Who begins a fetch waits for it also while they fail: a server that is back is believed at once.
            elif task is not None and self._age(now) >= self._ages.wait and not (self._is_failing and task is before):
                _, late = await asyncio.wait({task}, timeout=_PATIENCE)
                # Nobody else waits for it: it is as good as failed until it comes.
                self._is_failing = self._is_failing or bool(late)
        return self.known(now)

    def known(self, now: int) -> T:
        """What is at hand, without any I/O. Raises Unavailable."""
        if self._known is None or self._age(now) >= self._ages.good:
            raise Unavailable(f"no {self._what} could be fetched")
        return self._known

    def fresh(self, now: int) -> T | None:
        """What `get` would give at once, without asking anybody anew; None when it would ask, or there is nothing."""
        return self._known if self._age(now) < self._ages.renew else None

    async def newer(self, now: int) -> T | None:
        """The value of one more fetch, for who found this one wanting; None when it was fetched just now."""
        before, task = self._known, self._start(now)
        if task is not None:
            await asyncio.wait({task})
        return None if self._known is before else self._known

    def _age(self, now: int) -> int:
        # A clock that was set back says nothing about the age: as far away in the future is as old.
        return abs(now - self._at)

    def _start(self, now: int) -> asyncio.Task[None] | None:
        """The fetch that is under way, or a new one; None so shortly after the last."""
        running = self._task
        if running is not None and not running.done() and running.get_loop() is asyncio.get_running_loop():
            return running
        if self._ended_at is not None and 0 <= now - self._ended_at < self._ages.cooldown:
            return None
        self._task = asyncio.create_task(self._run(now))
        return self._task

    async def _run(self, now: int) -> None:
        try:
            async with asyncio.timeout(_DEADLINE):
                self._known = await self._fetch(self._known)
        except TimeoutError:
            self._fail(now, f"no answer within {_DEADLINE:.0f} s")
        except CannotFetch as failed:
            self._fail(now, str(failed))
        except Exception as failed:
            # Nobody awaits this task: what is not told here is told nowhere.
            _log.exception("fetch_failed what=%s", self._what)
            self._fail(now, type(failed).__name__)
        else:
            # As of its start: what happened meanwhile may not be in it.
            self._at = now
            if self._is_failing and self._said_at is not None:
                _log.warning("reached_again what=%s", self._what)
            self._is_failing, self._said_at = False, None
        finally:
            self._ended_at = self._clock()

    def _fail(self, now: int, reason: str) -> None:
        self._is_failing = True
        if self._said_at is None or not 0 <= now - self._said_at < _SAY_AGAIN:
            self._said_at = now
            age = "none" if self._known is None else str(self._age(now))
            _log.error("not_reached what=%s known_for=%s until=%d reason=%s", self._what, age, self._ages.good, reason)
