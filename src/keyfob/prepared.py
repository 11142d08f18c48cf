"""A statement that every request needs, in the words of its driver: the engine renders it, and looks at each of its
parameters, anew for every execution, which takes longer than the database does."""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

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

    def _render(self, dialect: str) -> str:
        assert isinstance(self._statement, sa.ClauseElement)
        compiled = self._statement.compile(dialect=_DIALECTS[dialect])
        assert all(value is None for value in compiled.params.values()), "a value that nobody would give"
        return str(compiled)
