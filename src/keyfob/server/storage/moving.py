"""All rows of one database into another, whichever of the two kinds each is; counted, and compared afterwards."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from keyfob.problem import Problem
from keyfob.server.storage import schema

_BATCH = 500
# A row may name one that came before it in the same table.
_ORDER = {schema.credential.name: (schema.credential.c.client_id, schema.credential.c.generation)}


@dataclass(frozen=True, slots=True)
class Sum:
    """What a table holds: how many rows, and a sum of their digests, which no order of them changes."""

    count: int = 0
    digest: int = 0

    def plus(self, rows: Sequence[sa.Row[*tuple[object, ...]]]) -> "Sum":
        digests = (hashlib.sha256(repr(tuple(row)).encode()).digest() for row in rows)
        more = sum(int.from_bytes(digest, "big") for digest in digests)
        return Sum(self.count + len(rows), (self.digest + more) % 2**256)


def take_alone(connection: sa.Connection) -> None:
    """Nobody else writes until the transaction ends; on SQLite its turn says so already. Raises Problem."""
    if connection.dialect.name != "postgresql":
        return
    others = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() "
        "AND pid <> pg_backend_pid() AND application_name = current_setting('application_name')"
    )
    if connection.execute(others).scalar_one():
        raise Problem("database-in-use", "other nodes are connected to the database", hint="stop them first")
    quoted = ", ".join(
        connection.dialect.identifier_preparer.format_table(one) for one in schema.metadata.sorted_tables
    )
    # It is idle while the new database is looked through, however long that takes.
    connection.exec_driver_sql("SET LOCAL idle_in_transaction_session_timeout = 0")
    connection.exec_driver_sql(f"LOCK TABLE {quoted} IN SHARE ROW EXCLUSIVE MODE")


def copy(source: sa.Connection, target: sa.Connection) -> Mapping[str, int]:
    """The rows of each table, by its name. Raises Problem when what arrived is not what was read."""
    counts = {}
    for table in schema.metadata.sorted_tables:
        read = Sum()
        for rows in _batches(source, table):
            target.execute(sa.insert(table), [row._asdict() for row in rows])
            read = read.plus(rows)
        arrived = Sum()
        for rows in _batches(target, table):
            arrived = arrived.plus(rows)
        if arrived != read:
            raise Problem("move-differs", f"{table.name} did not arrive as it was: {read.count} rows, {arrived.count}")
        counts[table.name] = read.count
    return counts


def _batches(connection: sa.Connection, table: sa.Table) -> Iterator[Sequence[sa.Row[*tuple[object, ...]]]]:
    chosen = sa.select(table).order_by(*_ORDER.get(table.name, ()))
    yield from connection.execute(chosen, execution_options={"yield_per": _BATCH}).partitions()
