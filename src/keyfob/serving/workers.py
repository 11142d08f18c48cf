"""Several processes that do the same work on the same sockets: started together, replaced when lost, ended together.

The parent only watches. It holds no connection and no thread when it forks, so that what a child starts with is whole.
"""

import contextlib
import logging
import os
import select
import signal
import sys
import traceback
from collections.abc import Callable, Iterator

from keyfob.ambient import monotonic
from keyfob.problem import Misuse, Problem

_log = logging.getLogger("keyfob.serving")

_PATIENCE = 9.5
"""Seconds after which a worker that was told to stop is killed."""
_PAUSE = 1.0
"""Seconds that a worker must have lived to be replaced at once: one that fails at its start must not spin."""

Work = Callable[[int | None, Callable[[], None]], None]
"""(the parent's process id, what to call once it serves): returns when it has drained."""


def run_workers(work: Work, *, count: int, announce: Callable[[], None]) -> None:
    """`count` processes that each do `work`, until SIGTERM or SIGINT. `announce` is called once all of them serve.

    Raises Problem when one of them cannot start. Later, one that is lost is replaced.
    """
    if sys.platform == "win32":
        raise Misuse("no-workers", "several workers need a system that can fork", hint="leave --workers out")
    crew = _Crew(work, count)
    with crew.watching():
        try:
            crew.start(announce)
            crew.tend()
        finally:
            crew.end()


class _Crew:
    def __init__(self, work: Work, count: int) -> None:
        self._work = work
        self._count = count
        self._born: dict[int, float] = {}
        self._is_told_to_stop = False
        self._wake = os.pipe()
        self._serving = os.pipe()
        for descriptor in (*self._wake, *self._serving):
            os.set_blocking(descriptor, False)

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Signals wake the loop that waits below."""
        wanted = {signal.SIGTERM: self._stop, signal.SIGINT: self._stop, signal.SIGCHLD: _ignore}
        before = {number: signal.signal(number, handler) for number, handler in wanted.items()}
        signal.set_wakeup_fd(self._wake[1], warn_on_full_buffer=False)
        try:
            yield
        finally:
            signal.set_wakeup_fd(-1)
            for number, handler in before.items():
                signal.signal(number, handler)
            for descriptor in (*self._wake, *self._serving):
                os.close(descriptor)

    def start(self, announce: Callable[[], None]) -> None:
        for _ in range(self._count):
            self._fork()
        serving = 0
        while serving < self._count and not self._is_told_to_stop:
            self._wait(_PAUSE)
            serving += len(_read(self._serving[0]))
            if self._bury():
                raise Problem("not-started", "a worker could not start", hint="the log above says why")
        if serving == self._count:
            announce()

    def tend(self) -> None:
        lost: list[float] = []
        while not self._is_told_to_stop:
            self._wait(_PAUSE)
            _read(self._serving[0])
            now = monotonic()
            for pid, status, born in self._bury():
                _log.error("worker_lost pid=%d status=%d", pid, status)
                lost.append(max(now, born + _PAUSE))
            for due in [when for when in lost if when <= now and not self._is_told_to_stop]:
                lost.remove(due)
                _log.info("worker_started pid=%d", self._fork())

    def end(self) -> None:
        """All drain at the same time; who takes too long is ended."""
        self._tell(signal.SIGTERM)
        deadline = monotonic() + _PATIENCE
        while self._born:
            self._wait(max(0.05, min(_PAUSE, deadline - monotonic())))
            self._bury()
            if monotonic() > deadline:
                self._tell(signal.SIGKILL)

    def _tell(self, number: int) -> None:
        for pid in self._born:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def _bury(self) -> list[tuple[int, int, float]]:
        """The workers that have ended: process id, exit status, when they were started."""
        ended = []
        for pid, born in list(self._born.items()):
            found, status = os.waitpid(pid, os.WNOHANG)
            if found:
                ended.append((pid, os.waitstatus_to_exitcode(status), born))
                del self._born[pid]
        return ended

    def _wait(self, seconds: float) -> None:
        select.select([self._wake[0], self._serving[0]], [], [], seconds)
        _read(self._wake[0])

    def _stop(self, *_: object) -> None:
        self._is_told_to_stop = True

    def _fork(self) -> int:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            self._born[pid] = monotonic()
            return pid
        status = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.SIG_IGN)
            if not self._is_told_to_stop:  # by a signal between the fork and the line above
                self._work(parent, lambda: _say(self._serving[1]))
            status = 0
        except Problem as problem:
            _log.error("worker_not_started reason=%s", problem.message)
        except BaseException:
            traceback.print_exc()
        finally:
            # Not through what the parent has on its stack: this process has nothing to tidy up there.
            with contextlib.suppress(OSError, ValueError):
                sys.stdout.flush()
                sys.stderr.flush()
            os._exit(status)


def _say(descriptor: int) -> None:
    os.write(descriptor, b".")


def _read(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 4096)
    except BlockingIOError:
        return b""


def _ignore(*_: object) -> None: ...
