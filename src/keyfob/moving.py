"""All rows of one database into a new one, whichever of the two kinds each is; counted, and compared afterwards."""

import contextlib
import hashlib
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import sqlalchemy as sa

from keyfob import database_url, databases, home
from keyfob.database import Database, check_same
from keyfob.databases import Tables
from keyfob.postgresql import Place
from keyfob.problem import Misuse, Problem

_BATCH = 500


@dataclass(frozen=True, slots=True)
class Sum:
    """What a table holds: how many rows, and a sum of their digests, which no order of them changes."""

    count: int = 0
    digest: int = 0

    def plus(self, rows: Sequence[sa.Row[*tuple[object, ...]]]) -> "Sum":
        digests = (hashlib.sha256(repr(tuple(row)).encode()).digest() for row in rows)
        more = sum(int.from_bytes(digest, "big") for digest in digests)
        return Sum(self.count + len(rows), (self.digest + more) % 2**256)


@dataclass(frozen=True, slots=True)
class Moved:
    """How many rows of each table came from where to where."""

    counts: Mapping[str, int]
    old: Path | Place
    new: Path | Place

    def lines(self, *found: str, environ: Mapping[str, str]) -> str:
        """For a person; `found` is what the program says of what has arrived."""
        rows = f"{sum(self.counts.values())} rows of {len(self.counts)} tables"
        lines = [f"moved {rows} from {self.old} to {self.new}", *found]
        if database_url.VARIABLE in environ:
            lines.append(f"WARNING: {database_url.VARIABLE} still names the old database: change it before you serve")
        lines.append("the old database is as it was: remove it when the new one has proved itself")
        return "\n".join(lines)

    def document(self, **found: object) -> dict[str, object]:
        return {"from": str(self.old), "to": str(self.new), "tables": dict(self.counts), **found}


def take_alone(connection: sa.Connection, tables: Tables) -> None:
    """Nobody else writes until the transaction ends; on SQLite its turn says so already. Raises Problem.

    Whoever needs that takes hold of every table: Misuse when a newer program has made some that this one does not know.
    """
    check_same(connection, tables.migrations)
    if connection.dialect.name != "postgresql":
        return
    others = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND application_name = current_setting('application_name')"
    )
    if connection.execute(others).scalar_one():
        raise Problem("database-in-use", "other nodes are connected to the database", hint="stop them first")
    quoted = ", ".join(
        connection.dialect.identifier_preparer.format_table(one) for one in tables.metadata.sorted_tables
    )
    # It is idle while the new database is looked through, however long that takes.
    connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
    connection.exec_driver_sql(f"LOCK TABLE {quoted} IN SHARE ROW EXCLUSIVE MODE")


@contextlib.contextmanager
def copied(
    source: sa.Connection, target: Path | Place, tables: Tables, *, installation_id: str, environ: Mapping[str, str]
) -> Iterator[tuple[Database, Mapping[str, int]]]:
    """A new database at `target` with all the rows, kept when the block ends well; and how many each table has.

    Raises Misuse when `target` is not empty, Problem when what arrived is not what was read.
    """
    with _new(target, tables, installation_id, environ) as made:
        with made.write() as connection:
            counts = _copy(source, connection, tables)
        yield made, counts


def _copy(source: sa.Connection, target: sa.Connection, tables: Tables) -> Mapping[str, int]:
    counts = {}
    for table in tables.metadata.sorted_tables:
        read = Sum()
        for rows in _batches(source, table, tables):
            target.execute(sa.insert(table), [row._asdict() for row in rows])
            read = read.plus(rows)
        arrived = Sum()
        for rows in _batches(target, table, tables):
            arrived = arrived.plus(rows)
        if arrived != read:
            raise Problem("move-differs", f"{table.name} did not arrive as it was: {read.count} rows, {arrived.count}")
        go_on_counting(target, table)
        counts[table.name] = read.count
    return counts


def _batches(
    connection: sa.Connection, table: sa.Table, tables: Tables
) -> Iterator[Sequence[sa.Row[*tuple[object, ...]]]]:
    chosen = sa.select(table).order_by(*tables.order.get(table.name, ()))
    yield from connection.execute(chosen, execution_options={"yield_per": _BATCH}).partitions()


def go_on_counting(connection: sa.Connection, table: sa.Table) -> None:
    """The next number that PostgreSQL gives comes after those that came with the rows; SQLite's does by itself."""
    counted = table.autoincrement_column
    if counted is None or connection.dialect.name != "postgresql":
        return
    sequence = sa.func.pg_get_serial_sequence(table.name, counted.name)
    following = sa.select(sa.func.coalesce(sa.func.max(counted), 0) + 1).scalar_subquery()
    connection.execute(sa.select(sa.func.setval(sequence, following, False)))


@contextlib.contextmanager
def _new(target: Path | Place, tables: Tables, installation_id: str, environ: Mapping[str, str]) -> Iterator[Database]:
    """An empty database with the tables at `target`, kept when the block ends well."""
    if isinstance(target, Place):
        with databases.new(target, tables, installation_id=installation_id, environ=environ) as made:
            yield made
        return
    if target.exists():
        raise Misuse("database-exists", f"{target} already exists", hint="name a new file")
    draft = target.with_name(f".{target.name}.{os.getpid()}.unfinished")
    try:
        with databases.new(draft, tables, installation_id=installation_id, environ=environ) as made:
            yield made
        os.link(draft, target)  # unlike a rename, it never overwrites
        home.sync_folder(target.parent)
    except OSError as failed:
        raise Problem("database-place", f"the database cannot be made at {target}: {failed.strerror}") from failed
    finally:
        for name in (draft.name, f"{draft.name}.lock", f"{draft.name}-wal", f"{draft.name}-shm"):
            draft.with_name(name).unlink(missing_ok=True)
