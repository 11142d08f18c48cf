"""What works once: an assertion (RFC 7523 §3 item 7), a DPoP proof (RFC 9449 §11.1). Nobody can add its row twice."""

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from keyfob.prepared import Prepared
from keyfob.server.storage.schema import presented_jti

_NAMED = sa.tuple_(presented_jti.c.client_id, presented_jti.c.jti)
_OVER = sa.select(*_NAMED.clauses).where(presented_jti.c.expires_at < sa.bindparam("now"))
_FORGET = Prepared(sa.delete(presented_jti).where(_NAMED.in_(_OVER.with_for_update(skip_locked=True))))
_USE = {
    dialect: Prepared(
        insert(presented_jti)
        .values({column.name: sa.bindparam(column.name) for column in presented_jti.c})
        .on_conflict_do_nothing()
        .returning(presented_jti.c.jti)
    )
    for dialect, insert in (("postgresql", postgresql.insert), ("sqlite", sqlite.insert))
}


def use(connection: sa.Connection, client_id: str, jti: str, *, until: int) -> bool:
    """Whether nobody has used `jti` of that client before. Of two at once, one has.

    The second waits for the end of the first's transaction: several are asked in the order of their keys.
    """
    # Escaped: a client may send any character, also those that a database refuses, and its batch is others' too.
    row = {"client_id": client_id, "jti": jti.encode("unicode_escape").decode(), "expires_at": until}
    added = _USE[connection.dialect.name].execute(connection, row)
    # By what came back: a driver need not count what it inserted.
    return added.one_or_none() is not None


def forget(connection: sa.Connection, now: int) -> None:
    """Rows whose time is over; what another writer is forgetting already is left to it."""
    _FORGET.execute(connection, {"now": now})
