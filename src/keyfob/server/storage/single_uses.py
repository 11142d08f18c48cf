"""What works once: an assertion (RFC 7523 §3 item 7), a DPoP proof (RFC 9449 §11.1). Nobody can add its row twice."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from keyfob.prepared import Prepared
from keyfob.server.storage.schema import presented_jti

_NAMED = sa.tuple_(presented_jti.c.client_id, presented_jti.c.jti)
_OVER = sa.select(*_NAMED.clauses).where(presented_jti.c.expires_at < sa.bindparam("now"))
_FORGET = Prepared(sa.delete(presented_jti).where(_NAMED.in_(_OVER.with_for_update(skip_locked=True))))
_USE, _USE_AND_SAY = (
    {
        dialect: Prepared(
            insert(presented_jti)
            .values({column.name: sa.bindparam(column.name) for column in presented_jti.c})
            .on_conflict_do_nothing()
            .returning(*returned)
        )
        for dialect, insert in (("postgresql", postgresql.insert), ("sqlite", sqlite.insert))
    }
    for returned in ((), (presented_jti.c.jti,))
)
_HERE, _BACK = "SAVEPOINT single_uses", "ROLLBACK TO SAVEPOINT single_uses"


def use(connection: sa.Connection, presented: Sequence[tuple[str, str, int]]) -> list[bool]:
    """Of each (client, `jti`, until when it is remembered), whether nobody has used it before; of two at once, one has.

    The second waits for the end of the first's transaction: they are taken in the order of their keys.
    """
    # Escaped: a client may send any character, also those that a database refuses, and its batch is others' too.
    rows = [
        {"client_id": client_id, "jti": jti.encode("unicode_escape").decode(), "expires_at": until}
        for client_id, jti, until in presented
    ]
    order = sorted(range(len(rows)), key=lambda place: (rows[place]["client_id"], rows[place]["jti"], place))
    connection.exec_driver_sql(_HERE)
    added = _USE[connection.dialect.name].execute(connection, [rows[place] for place in order])
    if added.rowcount == len(rows):
        return [True] * len(rows)
    # Somebody comes again, or the driver does not count: each is asked for by itself, and known by what comes back.
    connection.exec_driver_sql(_BACK)
    first = [False] * len(rows)
    for place in order:
        said = _USE_AND_SAY[connection.dialect.name].execute(connection, rows[place])
        first[place] = said.one_or_none() is not None
    return first


def forget(connection: sa.Connection, now: int) -> None:
    """Rows whose time is over; what another writer is forgetting already is left to it."""
    _FORGET.execute(connection, {"now": now})
