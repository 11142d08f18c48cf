"""One process at a time, of all that use a database, does what nobody asked for: what a calendar says, what is posted.

It leads for as long as it lives, by a lock that dies with it: no clock decides, so two machines whose clocks differ
never lead both. PostgreSQL lets an advisory lock go when its connection ends, at once for a process that was killed,
after half a minute for a machine that was lost. On SQLite the system does it, with a file beside the database.
"""

import contextlib
import os
import threading
from pathlib import Path
from typing import Protocol

import sqlalchemy as sa

from keyfob.database import Database, Unreachable
from keyfob.turn import Turn

_LEADER = 0x6B68
"""The class of the advisory lock, beside those of migrations (keyfob.postgresql) and of the audit's chains."""


class Lead(Protocol):
    """Safe to use from threads."""

    def is_mine(self) -> bool:
        """Whether this process leads now: it begins to when nobody does. To be asked again before each act."""
        ...

    def close(self) -> None:
        """Another may lead."""
        ...


def lead_of(database: Database) -> Lead:
    """The lead of all processes that use `database`."""
    if database.has_many_writers:
        return _BySession(database)
    return _ByFile(Path(f"{database.engine.url.database}.leader"))


class _BySession:
    """A connection of its own, outside the pool, that holds the lock."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._turn = threading.Lock()
        self._held: sa.Connection | None = None
        self._closed = False

    def is_mine(self) -> bool:
        with self._turn:
            try:
                return not self._closed and (self._is_held() or self._seize())
            except (sa.exc.DBAPIError, Unreachable):
                return False  # the database is away, which those who need it say louder

    def close(self) -> None:
        with self._turn:
            self._closed = True
            self._let_go()

    def _is_held(self) -> bool:
        """The lock is held while its connection lives: so that is asked for a sign of life."""
        if self._held is None:
            return False
        try:
            self._held.exec_driver_sql("SELECT 1")
        except sa.exc.DBAPIError:
            self._let_go()
        return self._held is not None

    def _seize(self) -> bool:
        connection = self._database.connect()
        try:
            if connection.execute(sa.select(sa.func.pg_try_advisory_lock(_LEADER, 0))).scalar_one():
                connection.detach()  # else whoever has it next from the pool would lead
                self._held = connection
                return True
        finally:
            if self._held is not connection:
                connection.close()
        return False

    def _let_go(self) -> None:
        if self._held is not None:
            with contextlib.suppress(sa.exc.SQLAlchemyError):
                # Said, since PostgreSQL hears of a closed connection a moment later.
                self._held.execute(sa.select(sa.func.pg_advisory_unlock(_LEADER, 0)))
            with contextlib.suppress(sa.exc.SQLAlchemyError):
                self._held.close()
            self._held = None


class _ByFile:
    def __init__(self, path: Path) -> None:
        self._lock = Turn(path)
        self._turn = threading.Lock()
        self._held: int | None = None
        self._closed = False

    def is_mine(self) -> bool:
        with self._turn:
            if self._held is None and not self._closed:
                self._held = self._lock.seize()
            return self._held is not None

    def close(self) -> None:
        with self._turn:
            self._closed = True
            if self._held is not None:
                os.close(self._held)
                self._held = None
