"""The database of a program, SQLite or PostgreSQL: found, made, brought up to date.

The program says what its tables are. One of them, `installation`, has one row, which says whose they are.
"""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import sqlalchemy as sa

from keyfob import database, postgresql
from keyfob.database import Database
from keyfob.home import Home
from keyfob.postgresql import Place
from keyfob.problem import Misuse, Problem
from keyfob.settings import FILE

_UNUSABLE = ("restore it from a backup", "let its user own the database, or restore it from a backup")


@dataclass(frozen=True, slots=True)
class Tables:
    """The tables of one program, and the package folder of their migrations (`package:folder`).

    `order`, by a table's name: the columns to copy its rows by, where a row may name one that came before it.
    `connections`, `reader_pause`: how a process of the program uses PostgreSQL (see open_postgresql).
    """

    metadata: sa.MetaData
    migrations: str
    order: Mapping[str, Sequence[sa.Column[object]]] = field(default_factory=dict)
    connections: int = postgresql.CONNECTIONS
    reader_pause: int = postgresql.PAUSE

    @property
    def owner(self) -> sa.Select[str]:
        """Finds the id of the installation that the tables belong to."""
        return sa.select(self.metadata.tables["installation"].c.installation_id)


def open_own(
    owner: Home, where: Path | Place, tables: Tables, *, environ: Mapping[str, str], patience: float | None = None
) -> Database:
    """The database of the home `owner`, its schema brought up to date. Raises Problem that says what to do."""
    opened = find(where, tables, environ=environ, patience=patience)
    try:
        upgrade(opened, tables, where)
        if opened.scalar(tables.owner) != owner.installation_id:
            raise Misuse(
                "other-database",
                f"the database {where} belongs to another installation than {owner.path}",
                hint=f"mend database.url in {FILE}",
            )
    except BaseException:
        opened.close()
        raise
    return opened


def find(where: Path | Place, tables: Tables, *, environ: Mapping[str, str], patience: float | None = None) -> Database:
    """Raises Problem when there is none: one that was made anew would mean no row, no audit, no trace of a loss."""
    opened = None
    if isinstance(where, Place):
        opened = postgresql.open_postgresql(
            where,
            environ=environ,
            patience=patience,
            connections=tables.connections,
            reader_pause=tables.reader_pause,
        )
        is_missing = database.is_empty(opened)
    else:
        is_missing = not where.is_file()
    if is_missing:
        raise Problem(
            "database-missing",
            f"there is no database at {where}",
            hint=f"restore it from a backup, or mend database.url in {FILE}",
        )
    return opened or database.open_sqlite(Path(str(where)))


def upgrade(opened: Database, tables: Tables, where: Path | Place) -> None:
    """The schema brought to its newest form. Raises Problem, Misuse when it is newer than this program."""
    try:
        database.upgrade(opened, tables.migrations)
    except sa.exc.DatabaseError as failed:
        raise Problem(
            "database-unusable", f"{where} cannot be used: {failed.orig}", hint=_UNUSABLE[isinstance(where, Place)]
        ) from failed


@contextlib.contextmanager
def new(where: Path | Place, tables: Tables, *, installation_id: str, environ: Mapping[str, str]) -> Iterator[Database]:
    """A database with the tables and no row at `where`, where nothing is yet.

    When the block fails they are taken back on PostgreSQL; a file is its folder's. Raises Misuse when it is not empty.
    """
    if isinstance(where, Path):
        with contextlib.closing(database.open_sqlite(where)) as made:
            upgrade(made, tables, where)
            yield made
        return
    with contextlib.closing(postgresql.open_postgresql(where, environ=environ)) as made:
        if not database.is_empty(made):
            raise Misuse("database-exists", f"{where} is not empty", hint="name a new database: createdb NAME")
        upgrade(made, tables, where)
        try:
            yield made
        except BaseException:
            _take_back(made, tables, installation_id)
            raise


def _take_back(made: Database, tables: Tables, installation_id: str) -> None:
    """Drop the tables, unless another installation has come to be in them meanwhile."""
    with made.write() as connection:
        if connection.execute(tables.owner).scalar_one_or_none() in (installation_id, None):
            connection.execute(sa.text("DROP TABLE alembic_version"))
            tables.metadata.drop_all(connection)
