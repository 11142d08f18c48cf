"""Deleting what may be forgotten, with all that hangs on it. The foreign keys say what that is: none is left out."""

import sqlalchemy as sa

from keyfob.server.storage import schema


def forget(connection: sa.Connection, table: sa.Table, chosen: sa.ColumnElement[bool]) -> None:
    """The rows of `table` that are `chosen` and, before them, every row of other tables that names one of them."""
    for other in schema.metadata.sorted_tables:
        for key in other.foreign_key_constraints:
            if key.referred_table is table and other is not table:
                named = sa.select(*(element.column for element in key.elements)).where(chosen)
                forget(connection, other, sa.tuple_(*key.columns).in_(named))
    connection.execute(sa.delete(table).where(chosen))
