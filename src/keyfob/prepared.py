"""A statement that every request needs, in the words of its driver: the engine renders it, and looks at each of its
parameters, anew for every execution, which takes longer than the database does."""

import functools
import sqlite3
from collections import namedtuple
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from keyfob.database import cut_values

Rows = Mapping[str, Any] | Sequence[Mapping[str, Any]]
_DIALECTS: Mapping[str, sa.Dialect] = {
    # In both, a parameter is given by its name, and bound by the driver.
    "sqlite": sqlite.dialect(paramstyle="named"),
    "postgresql": postgresql.psycopg.dialect(),  # type: ignore[no-untyped-call]  # as the engine makes it
}


class Prepared:
    """`statement` names each of its parameters (`sa.bindparam`); there are no others."""

    def __init__(self, statement: sa.Executable) -> None:
        self._statement = statement
        self._text = functools.cache(self._render)

    def execute(self, connection: sa.Connection, parameters: Rows) -> sa.CursorResult[Any]:
        """Once, or once for each of several rows."""
        return connection.exec_driver_sql(self._text(connection.dialect.name), parameters)

    def run(self, connection: sa.Connection, parameters: Rows) -> int:
        """As `execute`, where nothing is asked; how many rows were changed in all."""
        if connection.dialect.name != "sqlite":
            return self.execute(connection, parameters).rowcount
        return below(connection, self._text("sqlite"), parameters).rowcount

    def find(self, connection: sa.Connection, parameters: Mapping[str, Any]) -> Any:
        """The one row that there is at most, its values by the names of their columns, or None."""
        if connection.dialect.name != "sqlite":
            return self.execute(connection, parameters).one_or_none()
        found = below(connection, self._text("sqlite"), parameters).fetchone()
        return None if found is None else self._row(*found)

    @functools.cached_property
    def _row(self) -> Any:
        assert isinstance(self._statement, sa.sql.expression.ReturnsRows)
        return namedtuple("_row", self._statement.exported_columns.keys())

    def _render(self, dialect: str) -> str:
        assert isinstance(self._statement, sa.ClauseElement)
        compiled = self._statement.compile(dialect=_DIALECTS[dialect])
        assert all(value is None for value in compiled.params.values()), "a value that nobody would give"
        return str(compiled)


def below(
    connection: sa.Connection, text: str, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any] | tuple[Any, ...]]
) -> sqlite3.Cursor:
    """`text` on SQLite's own connection, for each of several rows: past the engine, which takes five times as long.

    Raises what the engine would.
    """
    driver = connection.connection.driver_connection
    assert isinstance(driver, sqlite3.Connection)
    try:
        if isinstance(parameters, Mapping):
            return driver.execute(text, parameters)
        return driver.executemany(text, parameters)
    except sqlite3.Error as failed:
        cut_values(failed)
        raise sa.exc.DBAPIError.instance(
            None, None, failed, sqlite3.Error, hide_parameters=True, dialect=connection.dialect
        ) from failed
