"""One writer at a time, between threads and between processes; whoever is killed lets its turn go.

Who waits is woken by the system and never polls: of two that poll, one can starve for seconds.
"""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from keyfob.problem import Problem


class Turn:
    """A lock on the file at `path`, which is made when it is not there and never read."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._here = threading.Lock()
        self._waiter: threading.Thread | None = None

    @contextlib.contextmanager
    def taken(self, patience: float | None = None) -> Iterator[None]:
        """The turn, for the block.

        Raises Problem `database-busy` when it has not come after `patience` seconds, and `not-writable` where the file
        cannot be made, as on a file system that is only read.
        """
        if not self._here.acquire(timeout=-1 if patience is None else patience):
            raise self._busy(patience)
        try:
            descriptor = self._open()
            try:
                if not _lock(descriptor, wait=patience is None):
                    self._wait(descriptor, patience)
                yield
            finally:
                os.close(descriptor)
        finally:
            self._here.release()

    def seize(self) -> int | None:
        """The turn at once, for as long as the descriptor that is returned stays open; None when another has it."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        if _lock(descriptor, wait=False):
            return descriptor
        os.close(descriptor)
        return None

    def _open(self) -> int:
        try:
            return os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as refused:
            raise Problem(
                "not-writable",
                f"{self._path.parent} cannot be written to: {refused.strerror}; nothing was changed",
                hint="do it where it can be written, as its owner",
            ) from refused

    def _wait(self, descriptor: int, patience: float | None) -> None:
        # The system's call knows no patience, so a thread waits in it. One that is given up goes on, and the next
        # to come waits for it first: however long somebody hangs, there is one of them.
        if self._waiter is not None:
            self._join(self._waiter, patience)
        self._waiter = threading.Thread(target=_lock_and_close, args=(os.dup(descriptor),), daemon=True)
        self._waiter.start()
        self._join(self._waiter, patience)

    def _join(self, waiter: threading.Thread, patience: float | None) -> None:
        waiter.join(patience)
        if waiter.is_alive():
            raise self._busy(patience)

    def _busy(self, patience: float | None) -> Problem:
        return Problem(
            "database-busy",
            f"another program has held {self._path} for {patience} s: nothing was written",
            hint="try again; if it stays so, end the program that hangs",
        )


def _lock_and_close(descriptor: int) -> None:
    """The lock belongs to the open file: it outlives this descriptor where the one who waits still has its own."""
    _lock(descriptor, wait=True)
    os.close(descriptor)


def _lock(descriptor: int, *, wait: bool) -> bool:
    """Whether the lock was had; always when `wait`."""
    if os.name == "posix":
        import fcntl

        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True
    # Windows: msvcrt waits ten seconds a call, then raises
    import msvcrt

    while True:
        with contextlib.suppress(OSError):
            mode = msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK  # type: ignore[attr-defined,unused-ignore]
            msvcrt.locking(descriptor, mode, 1)  # type: ignore[attr-defined,unused-ignore]
            return True
        if not wait:
            return False
