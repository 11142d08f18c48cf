"""Events to stderr, one a line, UTC; a service manager keeps them. Those of one turn of the loop are one write."""

import asyncio
import contextlib
import logging
import sys
import time

_MOST = 64 * 1024
"""Characters that wait at most; beyond, they are written at once."""


def write_logs() -> None:
    """From now on, for ours and for the libraries that serve."""
    # Looked up for each event otherwise, and written nowhere.
    logging.logProcesses = logging.logThreads = logging.logMultiprocessing = False
    logging._srcfile = None  # the documented way to leave the caller's line out
    handler = _Turnwise()
    handler.setFormatter(_Formatter("%(asctime)sZ %(levelname)s %(message)s"))
    root = logging.getLogger("keyfob")
    root.handlers[:] = [handler]
    root.setLevel(logging.INFO)
    root.propagate = False
    for name in ("uvicorn.error", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers[:] = [handler]
        logger.setLevel(logging.WARNING)
        logger.propagate = False


class _Formatter(logging.Formatter):
    """A second is written out once."""

    _second, _written = 0, ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802  # as in the base
        second = int(record.created)
        if second != self._second:
            self._second, self._written = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return self._written


class _Turnwise(logging.Handler):
    def __init__(self) -> None:
        super().__init__()
        self._lines: list[str] = []
        self._size = 0

    def emit(self, record: logging.LogRecord) -> None:
        try:
            line = self.format(record)
        except Exception:
            self.handleError(record)
            return
        self._lines.append(line)
        self._size += len(line)
        if len(self._lines) == 1 and self._size < _MOST:
            try:
                asyncio.get_running_loop().call_soon(self.flush)
            except RuntimeError:  # in a thread, or before there is a loop
                self.flush()
        elif self._size >= _MOST:
            self.flush()

    def flush(self) -> None:
        self.acquire()
        try:
            lines, self._lines, self._size = self._lines, [], 0
            # Nobody may be reading any more: that is told to nobody, and no event of its own.
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write("".join(f"{line}\n" for line in lines))
                sys.stderr.flush()
        finally:
            self.release()
