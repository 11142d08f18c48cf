"""Used DPoP proofs in one file, for an API of several processes on one machine."""

import os
import sqlite3
from pathlib import Path

from keyfob.guard.errors import IssuerUnavailable
from keyfob.problem import Misuse

_PATIENCE = 2.0
"""Seconds that one process waits for another's insert."""
_SET_UP = (
    "PRAGMA journal_mode = WAL",
    # A proof lives for a minute: what a power failure takes is dead before the machine is back.
    "PRAGMA synchronous = OFF",
    "CREATE TABLE IF NOT EXISTS used (name TEXT PRIMARY KEY, until INTEGER NOT NULL)",
    "CREATE INDEX IF NOT EXISTS used_until ON used (until)",
)


class FileReplays:
    """A `Replays` that every process of the machine shares by `path`, made when it is not there (mode 0600).

    One row a proof until it could not work again anyway; the insert itself decides who was first. Raises Misuse when
    the file cannot be used.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path = Path(path)
        self._opened: tuple[int, sqlite3.Connection] | None = None
        self._cleared_at = 0
        try:
            self._path.touch(mode=0o600)
            self._database()
        except (OSError, sqlite3.Error) as failed:
            raise Misuse(
                "bad-replays", f"{path} cannot keep used proofs: {failed}", hint="name a file that is for this alone"
            ) from failed

    async def use(self, name: str, *, until: int, now: int) -> bool:
        """Whether nobody has used `name` before, in any process. Raises IssuerUnavailable when that cannot be told."""
        try:
            database = self._database()
            if now != self._cleared_at:
                database.execute("DELETE FROM used WHERE until <= ?", (now,))
                self._cleared_at = now
            return database.execute("INSERT OR IGNORE INTO used VALUES (?, ?)", (name, until)).rowcount == 1
        except sqlite3.Error as failed:
            raise IssuerUnavailable(detail=f"used proofs cannot be looked up: {failed}") from failed

    def _database(self) -> sqlite3.Connection:
        # A connection must not be carried into a process that was forked: each has its own.
        if self._opened is None or self._opened[0] != os.getpid():
            database = sqlite3.connect(self._path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
            for statement in _SET_UP:
                database.execute(statement)
            self._opened = (os.getpid(), database)
        return self._opened[1]
