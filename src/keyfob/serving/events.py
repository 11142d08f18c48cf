"""Events to stderr, one a line, UTC; a service manager keeps them. Each is there before its answer is waited for."""

import logging
import sys
import time


def write_logs() -> None:
    """From now on, for ours and for the libraries that serve."""
    # Looked up for each event otherwise, and written nowhere.
    logging.logProcesses = logging.logThreads = logging.logMultiprocessing = False
    logging._srcfile = None  # the documented way to leave the caller's line out
    handler = logging.StreamHandler(sys.stderr)
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

    _second, _written = -1, ""

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802  # as in the base
        second = int(record.created)
        if second != self._second:
            self._second, self._written = second, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(second))
        return self._written
