"""Names that one process of this machine holds at a time; whoever is killed lets all of its own go.

Each name is a byte of a file that is never written: which byte, its SHA-256 says. The system keeps who has locked it.
"""

import contextlib
import hashlib
import os
from pathlib import Path

from keyfob.problem import Problem


class HeldNames:
    """On the file at `path`, which is made when it is not there. One of them for a file in a process, never two.

    A process that asks for a name that it holds itself may be given it again: it has to know its own.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor: int | None = None

    def hold(self, name: str) -> bool:
        """Whether it is ours from now on, or another process has it. Never waits. Raises Problem `not-writable`."""
        return _lock(self._open(), _place(name))

    def let_go(self, name: str) -> None:
        _unlock(self._open(), _place(name))

    def _open(self) -> int:
        # Never closed before the process ends: to close a file lets all go that this process has locked in it.
        if self._descriptor is None:
            try:
                self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
            except OSError as refused:
                raise Problem(
                    "not-writable",
                    f"{self._path.parent} cannot be written to: {refused.strerror}; nothing was changed",
                    hint="do it where it can be written, as its owner",
                ) from refused
        return self._descriptor


def _place(name: str) -> int:
    """So many that no two names meet; what would happen then is that one is told to come again."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big") >> 2


def _lock(descriptor: int, place: int) -> bool:
    if os.name == "posix":
        import fcntl

        try:
            fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, place)
        except (BlockingIOError, PermissionError):  # POSIX allows either
            return False
        return True
    import msvcrt

    with contextlib.suppress(OSError):
        os.lseek(descriptor, place, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        return True
    return False


def _unlock(descriptor: int, place: int) -> None:
    if os.name == "posix":
        import fcntl

        fcntl.lockf(descriptor, fcntl.LOCK_UN, 1, place)
        return
    import msvcrt

    os.lseek(descriptor, place, os.SEEK_SET)
    msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined,unused-ignore]
