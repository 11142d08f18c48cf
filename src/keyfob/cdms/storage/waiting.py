"""Rows that wait to be written, a thousand and more at a time: hundreds of thousands come in one transaction."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

Row = tuple[object, ...]


class Waiting:
    """`order`: the tables and statements, each of which writes what those before it have made possible."""

    def __init__(self, connection: sa.Connection, order: Sequence[sa.Table | sa.Executable]) -> None:
        self._connection = connection
        self._new: dict[sa.Table, list[Row]] = {one: [] for one in order if isinstance(one, sa.Table)}
        self._other: dict[sa.Executable, list[Mapping[str, object]]] = {
            one: [] for one in order if not isinstance(one, sa.Table)
        }
        self._order = tuple(order)

    def add(self, table: sa.Table, row: Row) -> int:
        """A new row, whole, in the order of the table's columns; how many wait now."""
        waiting = self._new[table]
        waiting.append(row)
        return len(waiting)

    def change(self, statement: sa.Executable, row: Mapping[str, object]) -> None:
        self._other[statement].append(row)

    def settle(self) -> None:
        """Write all that waits."""
        for one in self._order:
            if isinstance(one, sa.Table):
                rows, self._new[one] = self._new[one], []
                self._insert(one, rows)
            elif self._other[one]:
                changes, self._other[one] = self._other[one], []
                self._connection.execute(one, changes)

    def _insert(self, table: sa.Table, rows: list[Row]) -> None:
        if not rows:
            return
        if self._connection.dialect.name == "sqlite":
            # Whole numbers, texts and bytes: SQLAlchemy would look at each value of each row, and change none.
            statement = sa.insert(table).compile(dialect=self._connection.dialect)
            self._connection.exec_driver_sql(str(statement), rows)
        else:
            names = table.columns.keys()
            self._connection.execute(sa.insert(table), [dict(zip(names, row, strict=True)) for row in rows])
