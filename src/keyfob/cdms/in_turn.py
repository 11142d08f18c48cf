"""Calls that change little: all that wait are done one after the other, in one thread and one transaction of SQLite.

A thread for each would cost more than its work: they would wait for each other, for the interpreter and for the disk.
"""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from keyfob.cdms.answers import answer_to
from keyfob.cdms.call import Answer, Call
from keyfob.cdms.handlers import item_groups, subject_changes, subjects
from keyfob.cdms.storage.store import Store

Handler = Callable[[Call], Answer]

_BRIEF: frozenset[Handler] = frozenset(
    {item_groups.put_group, item_groups.delete_group, subject_changes.change_subject, subjects.register}
)
_MAX_BODY = 64 * 1024
"""Bytes. Who sends more keeps nobody waiting but himself."""
_AT_ONCE = 32
"""Calls of one transaction, so that the first is not kept waiting for ever more."""

_Waiting = tuple[Call, Handler, asyncio.Future[Answer]]


class InTurn:
    """For the event loop alone."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._thread = ThreadPoolExecutor(1, "writer")
        self._waiting: list[_Waiting] = []
        self._running: asyncio.Task[None] | None = None

    def takes(self, call: Call, handler: Handler) -> bool:
        """Whether the call is one of those; where writers run side by side, none is."""
        return handler in _BRIEF and len(call.body) <= _MAX_BODY and not self._store.has_many_writers

    async def answer(self, call: Call, handler: Handler) -> Answer:
        """The handler's answer, when what it says is durable. Raises what the handler raised, or why nothing is."""
        done: asyncio.Future[Answer] = asyncio.get_running_loop().create_future()
        self._waiting.append((call, handler, done))
        if self._running is None:
            self._running = asyncio.create_task(self._run())
        return await done

    async def _run(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            while self._waiting:
                some, self._waiting = self._waiting[:_AT_ONCE], self._waiting[_AT_ONCE:]
                outcomes = await loop.run_in_executor(self._thread, self._do, some)
                for (_, _, done), outcome in zip(some, outcomes, strict=True):
                    _tell(done, outcome)
        finally:
            self._running = None

    def _do(self, some: Sequence[_Waiting]) -> list[Answer | Exception]:
        outcomes: list[Answer | Exception] = []
        try:
            with self._store.together():
                for call, handler, _ in some:
                    outcomes.append(_outcome(call, handler))
        except Exception as failed:
            # Also who was refused: it may have been for what another of them wrote, and that is not there now.
            return [failed] * len(some)
        return outcomes


def _outcome(call: Call, handler: Handler) -> Answer | Exception:
    try:
        return answer_to(call, handler)
    except Exception as refused:
        return refused


def _tell(done: asyncio.Future[Answer], outcome: Answer | Exception) -> None:
    if done.done():
        return  # its connection ended, or the server's time to drain
    if isinstance(outcome, Exception):
        done.set_exception(outcome)
    else:
        done.set_result(outcome)
