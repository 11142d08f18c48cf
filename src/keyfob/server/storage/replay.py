"""RFC 7523 §3, RFC 9449 §11.1: what a client presents once works once, whichever process or node it reaches."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from keyfob.server.storage.schema import presented_jti

_INSERT = {"postgresql": postgresql.insert, "sqlite": sqlite.insert}


def is_first(connection: sa.Connection, client_id: str, jti: str, *, expires_at: int) -> bool:
    """Whether this transaction is the one that `jti` works for; it does once that is committed.

    One who comes second waits for the first's end: so several are asked in the order of their keys.
    """
    row = {"client_id": client_id, "jti": jti, "expires_at": expires_at}
    statement = _INSERT[connection.dialect.name](presented_jti).values(row)
    added = statement.on_conflict_do_nothing().returning(presented_jti.c.jti)
    return connection.execute(added).one_or_none() is not None
