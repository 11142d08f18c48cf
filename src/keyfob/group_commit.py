"""One durable commit for all requests that wait for one: evidence comes before its token, for a share of one flush.

The event loop never waits for the disk: batches are written in a thread, one after the other.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Generic, TypeVar

_log = logging.getLogger("keyfob.commit")

T = TypeVar("T")

MAX_WAITING = 10_000
GATHER = 0.002
"""Seconds that a batch waits at most until as many have come together as in the one before it."""
PATIENCE = 2.0
"""Seconds that a request waits for its record to be durable, and a batch for its turn to write."""
NOTE_EVERY = 0.5
"""Seconds between two entries of the books that are only useful."""
MAX_NOTES = 10_000


class Unavailable(Exception):
    """The record could not be made durable in time: whatever depends on it must not happen."""


class GroupCommit(Generic[T]):
    """`write` takes a batch and returns when it is durable. It runs in one thread, never twice at a time.

    What it returns names records of the batch, by their place, that it refused, and why. `what` they are, for the log;
    `patience`: seconds that each is waited for, PATIENCE unless it is given.
    """

    def __init__(
        self,
        write: Callable[[Sequence[T]], Mapping[int, Exception]],
        *,
        what: str = "audit",
        patience: float | None = None,
    ) -> None:
        self._write = write
        self._what = what
        self._patience = patience
        self._waiting: list[tuple[tuple[T, ...], asyncio.Future[None]]] = []
        # Who waits, by when: all wait equally long, so the first is the first to be late, and one timer does for all.
        self._deadlines: deque[tuple[float, asyncio.Future[None]]] = deque()
        self._timer: asyncio.TimerHandle | None = None
        self._failed = False
        self._last_size = 1
        self._enough: asyncio.Event | None = None
        self._running: asyncio.Task[None] | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="commit")

    async def append(self, record: T) -> None:
        """Returns when `record` is durable. Raises its refusal, or Unavailable: it may or may not be written yet."""
        await self._durable((record,))

    async def check(self) -> None:
        """Raises Unavailable while records cannot be written. After a failure an empty batch shows that they can."""
        if self._failed:
            await self._durable(())

    async def _durable(self, records: tuple[T, ...]) -> None:
        if len(self._waiting) >= MAX_WAITING:
            raise Unavailable
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append((records, done))
        if self._enough is not None and len(self._waiting) >= self._last_size:
            self._enough.set()
        patience = PATIENCE if self._patience is None else self._patience
        while self._deadlines and self._deadlines[0][1].done():
            self._deadlines.popleft()
        self._deadlines.append((loop.time() + patience, done))
        if self._timer is None:
            self._timer = loop.call_later(patience, self._give_up, loop)
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        await done

    def _give_up(self, loop: asyncio.AbstractEventLoop) -> None:
        """Those whose time is over are told so."""
        while self._deadlines and (self._deadlines[0][1].done() or self._deadlines[0][0] <= loop.time()):
            _, done = self._deadlines.popleft()
            if not done.done():
                self._failed = True
                done.set_exception(Unavailable("late"))
        self._timer = loop.call_at(self._deadlines[0][0], self._give_up, loop) if self._deadlines else None

    async def _run(self) -> None:
        try:
            while self._waiting:
                await self._gather()
                # Who gave up in the meantime is not recorded: its token will never leave.
                batch = [(records, done) for records, done in self._waiting if not done.done()]
                self._waiting.clear()
                if batch:
                    await self._commit(batch)
        finally:
            self._running = None

    async def _gather(self) -> None:
        """Who came together last time will soon be here again, if they are at work: one flush does for them all.

        Without this they fall apart into small batches, each with a flush of its own, and a thread that writes while
        the event loop works: the two then take the interpreter from each other, which costs more than the flush.
        """
        if len(self._waiting) < self._last_size:
            self._enough = asyncio.Event()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(GATHER):
                    await self._enough.wait()
            self._enough = None
        self._last_size = len(self._waiting)

    async def _commit(self, batch: list[tuple[tuple[T, ...], asyncio.Future[None]]]) -> None:
        records = [record for some, _ in batch for record in some]
        try:
            refused = await asyncio.get_running_loop().run_in_executor(self._thread, self._write, records)
        except Exception as failed:
            # Fail closed, each of them; the reason is the operator's.
            _log.exception("%s_not_written records=%d", self._what, len(records))
            self._failed = True
            for _, done in batch:
                if not done.done():
                    done.set_exception(Unavailable(str(type(failed).__name__)))
        else:
            self._failed = False
            place = 0
            for some, done in batch:
                places = range(place, place + len(some)) if refused else ()
                why = next((refused[at] for at in places if at in refused), None)
                place += len(some)
                if done.done():
                    continue
                if why is None:
                    done.set_result(None)
                else:
                    done.set_exception(why)

    async def close(self) -> None:
        """Until everything that waits is written or given up; a disk that hangs is not waited for."""
        if self._running is not None:
            await asyncio.wait([self._running], timeout=PATIENCE)
        if self._timer is not None:
            self._timer.cancel()
        self._thread.shutdown(wait=False)


class NoteBook(Generic[T]):
    """Records that are only useful: written now and then, in the background, dropped when there are too many."""

    def __init__(self, write: Callable[[Sequence[T]], None]) -> None:
        self._write = write
        self._notes: list[T] = []
        self._dropped = 0
        self._running: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()

    def note(self, record: T) -> None:
        """Never raises, never waits."""
        if len(self._notes) >= MAX_NOTES:
            self._dropped += 1
            return
        self._notes.append(record)
        if self._running is None:
            self._running = asyncio.create_task(self._run())

    async def _run(self) -> None:
        try:
            while self._notes:
                await asyncio.sleep(NOTE_EVERY)
                await self.flush()
        finally:
            self._running = None

    async def flush(self) -> None:
        """Returns when everything that was noted before the call is written, or given up."""
        async with self._turn:
            await self._flush()

    async def _flush(self) -> None:
        notes, self._notes = self._notes, []
        if self._dropped:
            _log.warning("refusals_not_recorded count=%d", self._dropped)
            self._dropped = 0
        if not notes:
            return
        try:
            await asyncio.to_thread(self._write, notes)
        except Exception:
            _log.exception("refusals_not_recorded count=%d", len(notes))

    async def close(self) -> None:
        if self._running is not None:
            self._running.cancel()
            await asyncio.gather(self._running, return_exceptions=True)
        await self.flush()
