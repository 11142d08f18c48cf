"""Rows that wait to be written, a thousand and more at a time: hundreds of thousands come in one transaction."""

from collections.abc import Mapping

import sqlalchemy as sa

from keyfob.cdms.storage import schema, statements
from keyfob.prepared import Prepared, below

Row = tuple[object, ...]
_ORDER = (
    statements.INSERT_SUBJECT, schema.item_group, schema.item_value, statements.UPDATE_ITEM, statements.DELETE_ITEM,
    schema.audit,
)  # fmt: skip


class Waiting:
    """What waits is written in the order that lets each row refer to those before it."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection
        self._new: dict[sa.Table, list[Row]] = {}
        self._other: dict[Prepared, list[Mapping[str, object]]] = {}

    def add(self, table: sa.Table, *rows: Row) -> int:
        """New rows, whole, in the order of the table's columns; how many wait now."""
        waiting = self._new.setdefault(table, [])
        waiting += rows
        return len(waiting)

    def change(self, statement: Prepared, row: Mapping[str, object]) -> None:
        self._other.setdefault(statement, []).append(row)

    def settle(self) -> None:
        """Write all that waits."""
        new, self._new = self._new, {}
        other, self._other = self._other, {}
        for one in _ORDER:
            if isinstance(one, sa.Table):
                self._insert(one, new.get(one, []))
            elif one in other:
                one.run(self._connection, other[one])

    def _insert(self, table: sa.Table, rows: list[Row]) -> None:
        if rows and self._connection.dialect.name == "sqlite":
            # Whole numbers, texts and bytes: SQLAlchemy would look at each value of each row, and change none.
            below(self._connection, statements.SQLITE_INSERT[table], rows)
        elif rows:
            names = table.columns.keys()
            self._connection.execute(statements.INSERT[table], [dict(zip(names, row, strict=True)) for row in rows])
