"""The vault in one SQLite file, which its owner alone may read. Writers queue on a lock file beside it.

A rollback journal that is flushed at each step, and deleted content that is overwritten: so a kill leaves the old state
or the new one, and what was replaced does not stay in free pages.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

from keyfob import home
from keyfob.partner.errors import VaultProblem
from keyfob.partner.vault import sql
from keyfob.partner.vault.sql import SqlStore
from keyfob.problem import Misuse
from keyfob.turn import Turn

_PATIENCE = 5.0
"""Seconds for a reader while a writer commits."""
_SETTINGS = ("PRAGMA journal_mode = DELETE", "PRAGMA synchronous = EXTRA", "PRAGMA secure_delete = ON")


class SqliteStore(SqlStore):
    """`Store` over a file, see keyfob.partner.vault.stores."""

    def __init__(self, path: Path, installation_id: str) -> None:
        super().__init__(f"sqlite:{path}", installation_id)
        self.path = path

    @property
    def usual_key_file(self) -> Path:
        return self.path.with_name(self.path.name + ".key")

    @classmethod
    def find(cls, path: Path) -> "SqliteStore | None":
        if not path.exists() or path.stat().st_size == 0:
            return None
        home.check_private(path)
        with _transaction(path, "BEGIN") as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            if not tables:
                return None  # of a process that was killed while it made it
            if "keyfob_vault" not in tables:
                raise Misuse("no-vault", f"{path} is another program's database", hint="name another: --vault")
            return cls(path, sql.check_mark(connection.execute(sql.MARKED).fetchall(), f"sqlite:{path}"))

    @classmethod
    def create(cls, path: Path, *, new_id: Callable[[], str]) -> "SqliteStore":
        try:
            # Private before there is anything in it: its journal takes the same mode.
            os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as failed:
            hint = "name another, in a folder that is there: --vault"
            raise Misuse("vault-place", f"{path} cannot be made: {failed.strerror}", hint=hint) from None
        home.check_private(path)
        with _lock(path, "lock").taken():
            if (found := cls.find(path)) is not None:
                return found
            with _transaction(path, "BEGIN IMMEDIATE") as connection:
                for statement in sql.TABLES:
                    connection.execute(statement.format(bytes="blob"))
                connection.execute(sql.MARK, (sql.VERSION, new_id()))
        found = cls.find(path)
        assert found is not None
        return found

    @contextlib.contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        home.check_private(self.path)
        with _transaction(self.path, "BEGIN") as connection:
            yield connection

    @contextlib.contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        home.check_private(self.path)
        with _lock(self.path, "lock").taken(), _transaction(self.path, "BEGIN IMMEDIATE") as connection:
            yield connection

    @contextlib.contextmanager
    def rotating(self) -> Iterator[None]:
        with _lock(self.path, "rotate").taken():
            yield


def _lock(path: Path, what: str) -> Turn:
    return Turn(path.with_name(f"{path.name}.{what}"))


@contextlib.contextmanager
def _transaction(path: Path, begin: str) -> Iterator[sqlite3.Connection]:
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None)) as connection:
            for setting in _SETTINGS:
                connection.execute(setting)
            connection.execute(begin)
            yield connection
            connection.execute("COMMIT")  # closed without it, all is undone
    except sqlite3.OperationalError as failed:
        raise VaultProblem("vault-busy", f"the vault {path} cannot be used: {failed}", hint="try again") from None
    except sqlite3.DatabaseError:
        raise VaultProblem(
            "damaged-vault", f"the vault {path} is damaged", hint="restore it from a backup, or receive again"
        ) from None
