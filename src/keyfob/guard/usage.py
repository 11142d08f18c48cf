"""Which scopes are used, told to the issuer in the background: a report never keeps a call waiting, nor fails one.

What was counted and not yet told is lost when the process ends without `flush`, and when more is seen than is kept;
the operator's advice says so.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from keyfob.ambient import Clock, Entropy
from keyfob.oauth import usage_report
from keyfob.oauth.usage_report import Report, Use
from keyfob.refreshing import CannotFetch

_log = logging.getLogger("keyfob.guard")

EVERY = 60
"""Seconds between two reports, while requests come."""
_DEADLINE = 10.0
_AT_THE_END = 2.0
"""Seconds for the last report: who ends is not kept by an issuer that is away."""
_MAX_COUNTED = 5_000
"""Different uses between two reports; what is beyond is not counted, and that is logged."""

_Name = tuple[str, str, str, str]


class Usage:
    """Counts, and every minute hands what is new to `send`, which raises CannotFetch when it was not taken."""

    def __init__(self, send: Callable[[Report], Awaitable[None]], *, clock: Clock, entropy: Entropy) -> None:
        self._send = send
        self._clock = clock
        self._reporter = entropy(16).hex()
        self._sequence = 0
        self._counted: dict[_Name, list[int]] = {}
        self._waiting: list[Report] = []
        self._began_at = clock()
        self._next = self._began_at + EVERY
        self._task: asyncio.Task[None] | None = None
        self._overflowed = False

    def count(self, client_id: str, scope: str, method: str, route: str, now: int) -> None:
        """One admitted request. `scope`: what it needed, several with a space between them."""
        for one in scope.split(" ") if " " in scope else (scope,):
            name = (client_id, one, method, route)
            found = self._counted.get(name)
            if found is not None:
                found[0] += 1
                found[1] = now
            elif len(self._counted) < _MAX_COUNTED:
                self._counted[name] = [1, now]
            elif not self._overflowed:
                self._overflowed = True
                _log.warning("usage_not_counted reason=more than %d different uses in a minute", _MAX_COUNTED)
        if now >= self._next and (self._task is None or self._task.done()):
            self._next = now + EVERY
            self._task = asyncio.create_task(self._tell(now))

    async def flush(self) -> None:
        """Tell what was not told yet: when the process ends."""
        if self._task is not None and not self._task.done() and self._task.get_loop() is asyncio.get_running_loop():
            await asyncio.wait({self._task}, timeout=_AT_THE_END)
            self._task.cancel()  # what it was telling goes again below, and is counted once
        await self._tell(self._clock(), within=_AT_THE_END)

    async def _tell(self, now: int, *, within: float = _DEADLINE) -> None:
        self._close(now)
        try:
            async with asyncio.timeout(within):
                while self._waiting:
                    await self._send(self._waiting[0])
                    del self._waiting[0]
        except (TimeoutError, CannotFetch) as failed:
            # It goes again with the next one, under its own number: it is counted once, whatever became of it.
            _log.warning("usage_not_told reason=%s", str(failed) or "no answer in time")
        except Exception:
            _log.exception("usage_not_told")

    def _close(self, now: int) -> None:
        """What was counted becomes reports that wait."""
        if len(self._waiting) * usage_report.MAX_USES >= _MAX_COUNTED:
            return  # the issuer is away: they are counted further, in one place each
        uses = [
            Use(client_id, scope, method, usage_report.tellable(route), count, last_used)
            for (client_id, scope, method, route), (count, last_used) in self._counted.items()
        ]
        self._counted, self._overflowed = {}, False
        for start in range(0, max(len(uses), 1), usage_report.MAX_USES):
            self._sequence += 1
            part = tuple(uses[start : start + usage_report.MAX_USES])
            self._waiting.append(Report(self._reporter, self._sequence, min(self._began_at, now), now, part))
        self._began_at = now
