"""A database of ours: how it is opened, migrated, read and written. SQL itself stands in the storage packages.

SQLite: WAL, every commit flushed (`synchronous=FULL`), writers queue on a file lock and never on the busy handler,
which starves one of two processes for seconds. PostgreSQL: keyfob.postgresql.
"""

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from keyfob import home
from keyfob.ambient import monotonic
from keyfob.problem import Misuse, Problem
from keyfob.turn import Turn

_log = logging.getLogger("keyfob.database")

T = TypeVar("T")

_CONNECTIONS = 128
_PATIENCE = 2.0
"""Seconds to wait for a free connection: whoever comes later is better told at once."""

_REVISION = 4
"""Digits of a revision, with which the name of its file begins."""


def new_metadata() -> sa.MetaData:
    """For a storage package's tables: every constraint gets a name, the same in every database, for migrations."""
    return sa.MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "ix": "ix_%(table_name)s_%(column_0_name)s",
        }
    )


class Unreachable(Problem):
    """The database does not answer, or not in time. Nothing is wrong with the request: it may be tried again."""


class Database:
    """An engine with two verbs, `read()` and `write()`, each a transaction.

    `connections`: how many transactions there can be at once. `explain` makes an Unreachable of an error that only says
    so; None for any other. `migration_lock` is said first when the schema is brought up to date.
    """

    def __init__(
        self,
        engine: sa.Engine,
        *,
        connections: int = _CONNECTIONS,
        begin_read: str,
        begin_write: str,
        turn: Turn | None = None,
        explain: Callable[[sa.exc.DBAPIError], Unreachable | None] = lambda _failed: None,
        migration_lock: str | None = None,
        glance: "Glance | None" = None,
    ) -> None:
        self.engine = engine
        self.connections = connections
        self.migration_lock = migration_lock
        self._begin_read = begin_read
        self._begin_write = begin_write
        self._turn = turn
        self._explain = explain
        self._glance = glance
        self._away_until = 0.0

    @property
    def has_many_writers(self) -> bool:
        """Whether writers run side by side, and lock what they change; else there is one at a time."""
        return self._turn is None

    def scalar(self, statement: sa.Select[Any] | sa.TextClause) -> object:
        """The value that one statement finds, or None."""
        return self.ask(lambda connection: connection.execute(statement).scalar_one_or_none())

    def ask(self, question: Callable[[sa.Connection], T]) -> T:
        """What one statement answers. No transaction: a single statement sees a single state."""
        with self.told(), self.connect() as connection:
            try:
                return question(connection)
            except sa.exc.DBAPIError as failed:
                if not failed.connection_invalidated:
                    raise
        with self.told(), self.connect() as connection:
            return question(connection)

    def number(self, statement: str) -> int:
        """The number that one statement without parameters finds, which is asked for with every request."""
        if self._glance is not None:
            with contextlib.suppress(sqlite3.Error):  # told by the engine, in its words
                return self._glance.number(statement)
        return int(str(self.scalar(sa.text(statement))))

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """One snapshot for the whole block; nothing is written."""
        with self.told(), self._begun(self._begin_read) as connection:
            yield connection

    @contextlib.contextmanager
    def write(self, *, patience: float | None = None) -> Iterator[sa.Connection]:
        """Commits durably at the end of the block, rolls back when it raises. On SQLite the one writer.

        Do no slow work inside. Raises Problem `database-full` when the disk is full, `database-busy` when another
        program does not let it write within `patience` seconds (None: waits for ever): nothing was written.
        """
        turn = contextlib.nullcontext() if self._turn is None else self._turn.taken(patience)
        with turn, self.told(), self._begun(self._begin_write) as connection:
            try:
                yield connection
                connection.commit()
            except BaseException:
                with contextlib.suppress(sa.exc.DBAPIError):  # what happened is told, not what it left behind
                    connection.rollback()
                raise

    @contextlib.contextmanager
    def _begun(self, begin: str) -> Iterator[sa.Connection]:
        """A connection in a transaction. One that had died while it was idle is replaced: nothing was lost on it."""
        # The drivers open no transaction by themselves; without one each statement would see another state.
        connection = self.connect()
        try:
            try:
                connection.exec_driver_sql(begin)
            except sa.exc.DBAPIError as failed:
                if not failed.connection_invalidated:
                    raise
                connection.close()
                connection = self.connect()
                connection.exec_driver_sql(begin)
            yield connection
        finally:
            connection.close()

    @contextlib.contextmanager
    def told(self) -> Iterator[None]:
        """What has gone wrong in the block, as a Problem where it is one that passes."""
        try:
            yield
        except sa.exc.DBAPIError as failed:
            if "disk is full" in str(failed.orig):
                raise Problem(
                    "database-full", "the disk of the database is full: nothing was written", hint="free some room"
                ) from failed
            if (explained := self._explain(failed)) is not None:
                raise explained from failed
            raise

    def connect(self) -> sa.Connection:
        """A connection of the pool, to be closed. Raises Unreachable `database-busy` when none comes free in time."""
        began = monotonic()
        if began < self._away_until:
            raise Unreachable("database-away", "the database did not answer a moment ago", hint="try again")
        try:
            return self.engine.connect()
        except sa.exc.TimeoutError as busy:
            raise Unreachable(
                "database-busy", "all connections to the database are in use", hint="try again later"
            ) from busy
        except sa.exc.DBAPIError:
            # Who answers nothing at all costs seconds each time: for twice as long, nobody is kept waiting for it.
            self._away_until = monotonic() + 2 * (monotonic() - began)
            raise

    def close(self) -> None:
        if self._glance is not None:
            self._glance.close()
        self.engine.dispose()


class Glance:
    """A connection of its own to the SQLite database at `path`, past the engine, which takes ten times as long."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._turn = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def number(self, statement: str) -> int:
        with self._turn:
            if self._connection is None:
                self._connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
            return int(self._connection.execute(statement).fetchone()[0])

    def close(self) -> None:
        with self._turn:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def open_sqlite(path: Path) -> Database:
    """The SQLite database at `path`, made private to its owner when it is new."""
    if not path.exists():
        os.close(os.open(path, os.O_CREAT | os.O_RDWR, 0o600))
    # hide_parameters: what a statement was given never reaches an exception's text or a log.
    engine = sa.create_engine(
        f"sqlite:///{path}", poolclass=QueuePool, pool_size=8, max_overflow=_CONNECTIONS - 8, pool_timeout=_PATIENCE,
        hide_parameters=True,
    )  # fmt: skip

    @sa.event.listens_for(engine, "connect")
    def _configure(connection: object, _record: object) -> None:
        # The driver must not open transactions by itself: ours begin with BEGIN IMMEDIATE or are single reads.
        connection.isolation_level = None  # type: ignore[attr-defined]
        for pragma in (
            "journal_mode=WAL",
            "synchronous=FULL",
            "foreign_keys=ON",
            "busy_timeout=10000",
            "trusted_schema=OFF",
        ):
            connection.execute(f"PRAGMA {pragma}")  # type: ignore[attr-defined]

    tell_no_values(engine)
    turn = Turn(path.with_name(path.name + ".lock"))
    return Database(engine, begin_read="BEGIN", begin_write="BEGIN IMMEDIATE", turn=turn, glance=Glance(path))


def tell_no_values(engine: sa.Engine) -> None:
    """Of the engine's errors what went wrong, and not in which row: that would come into a log, values and all."""

    @sa.event.listens_for(engine, "handle_error")
    def _cut(context: sa.engine.ExceptionContext) -> None:
        for error in (context.original_exception, context.sqlalchemy_exception):
            if error is not None:
                cut_values(error)


def cut_values(error: BaseException) -> None:
    if error.args and isinstance(error.args[0], str):
        # PostgreSQL tells of the row below the first line, SQLite of a broken text behind its column.
        said = error.args[0].partition("\n")[0].partition(" with text ")[0]
        error.args = (said, *error.args[1:])


@contextlib.contextmanager
def placed(source: Path, target: Path) -> Iterator[None]:
    """A new home's database moved to `target` outside it, which must be free; taken back when the block fails.

    A kill before the home is whole leaves a database that belongs to no home: init says that it is there.
    """
    draft = target.with_name(f".{target.name}.{os.getpid()}.unfinished")
    try:
        home.write_file(draft, source.read_bytes())
        os.link(draft, target)  # unlike a rename, it never overwrites
    except FileExistsError:
        raise Misuse("database-exists", f"{target} already exists", hint="name a new file") from None
    except OSError as failed:
        raise Problem("database-place", f"the database cannot be made at {target}: {failed.strerror}") from failed
    finally:
        draft.unlink(missing_ok=True)
    source.unlink()
    source.with_name(f"{source.name}.lock").unlink(missing_ok=True)
    try:
        yield
    except BaseException:
        target.unlink()
        raise


def upgrade(database: Database, migrations: str) -> None:
    """Bring the schema to the newest revision in the package folder `migrations` (`package:folder`).

    Two programs that start at once queue on the write lock. A newer schema is left as it is, where it only adds to what
    this program knows: nodes of the version before go on beside newer ones. Raises Misuse when it does not.
    """
    revisions = _revisions(migrations)
    with database.write() as connection:
        if database.migration_lock is not None:
            connection.exec_driver_sql(database.migration_lock)
        found = _schema_revision(connection)
        if found == revisions[-1]:
            return
        if found is not None and found not in revisions:
            if not _is_enough(connection, revisions[-1]):
                raise _newer(found)
            _log.warning("newer_schema_served found=%s known=%s", found, revisions[-1])
            return
        # Only here: to import it takes longer than most commands, and nearly always there is nothing to do.
        from alembic import command
        from alembic.config import Config

        config = Config()
        config.set_main_option("script_location", migrations)
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def check_same(connection: sa.Connection, migrations: str) -> None:
    """For what takes hold of every table: raises Misuse when there may be some that this program does not know."""
    found = _schema_revision(connection)
    if found not in _revisions(migrations):
        raise _newer(str(found))


def is_empty(database: Database) -> bool:
    """Whether there is no table in it, ours or anybody's."""
    with database.read() as connection:
        return not sa.inspect(connection).get_table_names()


def _revisions(migrations: str) -> list[str]:
    package, _, folder = migrations.partition(":")
    names = sorted(file.name for file in (resources.files(package) / folder / "versions").iterdir())
    return [name[:_REVISION] for name in names if name[:_REVISION].isdigit()]


def _is_enough(connection: sa.Connection, known: str) -> bool:
    """Whether to know the schema `known` is enough for the newer one that is there; each says so of itself."""
    columns = sa.inspect(connection).get_columns("installation")
    if not any(column["name"] == "least_schema" for column in columns):
        return False
    least = connection.execute(sa.text("SELECT least_schema FROM installation")).scalar_one_or_none()
    return least is not None and known >= str(least)


def _newer(found: str) -> Misuse:
    return Misuse(
        "newer-schema", f"the database has schema {found}, which is newer than this program", hint="upgrade it"
    )


def _schema_revision(connection: sa.Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
    return None if found is None else str(found)
