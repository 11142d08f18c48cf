"""How an alarm gets to where it is told: in a thread of its own, out of a bounded queue, with patience.

Nothing here can hold up or fail a token request: `post` never waits and never raises.
"""

import logging
import queue
import threading
from collections.abc import Sequence
from typing import Protocol

from keyfob.server.alarms.alarm import Alarm

_log = logging.getLogger("keyfob.server")

MAX_WAITING = 1_000
PAUSES = (1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 60.0, 60.0, 60.0, 60.0)
"""Seconds before each further attempt; then the alarm is given up, and the log says so."""
_LAST_WORDS = 3.0
"""Seconds that a stopping server waits for what is under way."""


class NotDelivered(Exception):
    """`again`: whether another attempt may succeed. The text is for the log: no URL, no secret."""

    def __init__(self, reason: str, *, again: bool) -> None:
        super().__init__(reason)
        self.again = again


class Message(Protocol):
    """What a sink takes: an alarm, or a notice. `severity` as of syslog; `body` one JSON document in ASCII."""

    @property
    def id(self) -> str: ...

    @property
    def kind(self) -> str: ...

    @property
    def at(self) -> int: ...

    @property
    def severity(self) -> int: ...

    def body(self) -> bytes: ...


class Sink(Protocol):
    """Where messages go. `deliver` blocks, and raises NotDelivered."""

    @property
    def name(self) -> str: ...

    def deliver(self, message: Message) -> None: ...


class Courier:
    """Delivers to one sink, in order. Its thread begins with the first alarm."""

    def __init__(self, sink: Sink, *, pauses: Sequence[float] = PAUSES) -> None:
        self._sink = sink
        self._pauses = pauses
        self._waiting: queue.Queue[Alarm | None] = queue.Queue(MAX_WAITING)
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def post(self, alarm: Alarm) -> None:
        """Never waits and never raises: what is too much is dropped, and the log says so."""
        try:
            self._waiting.put_nowait(alarm)
        except queue.Full:
            _log.error("alarm_dropped to=%s kind=%s id=%s: too many wait", self._sink.name, alarm.kind, alarm.id)
            return
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, name=f"alarms-{self._sink.name}", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """What waits is tried once more, for a few seconds."""
        self._stopping.set()
        if self._thread is not None:
            try:
                self._waiting.put_nowait(None)
            except queue.Full:
                return
            self._thread.join(_LAST_WORDS)

    def _work(self) -> None:
        while (alarm := self._waiting.get()) is not None:
            try:
                self._deliver(alarm)
            except Exception:
                _log.exception("alarm_not_delivered to=%s kind=%s id=%s", self._sink.name, alarm.kind, alarm.id)

    def _deliver(self, alarm: Alarm) -> None:
        for pause in (*self._pauses, None):
            try:
                self._sink.deliver(alarm)
            except NotDelivered as failed:
                if not failed.again or pause is None or self._stopping.wait(pause):
                    told = (self._sink.name, alarm.kind, alarm.id, failed)
                    _log.error("alarm_not_delivered to=%s kind=%s id=%s reason=%s", *told)
                    return
            else:
                return
