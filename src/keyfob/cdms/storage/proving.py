"""DPoP proofs that were used, for all processes together (RFC 9449 §11.1)."""

from collections.abc import Sequence

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from keyfob.cdms.storage.schema import used_proof as table


def use(connection: sa.Connection, proofs: Sequence[tuple[bytes, int]], *, forget_before: int) -> frozenset[int]:
    """Uses up each proof (its SHA-256, and when it ends); the places of those that somebody had used before.

    Of two at once the second waits for the end of the first's transaction: several are asked in one order. Those that
    ended before `forget_before` are forgotten.
    """
    over = sa.select(table.c.sha256).where(table.c.expires_at < forget_before).with_for_update(skip_locked=True)
    connection.execute(sa.delete(table).where(table.c.sha256.in_(over)))
    insert = postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert
    once = insert(table).on_conflict_do_nothing().returning(table.c.sha256)
    used = set()
    for place, (sha256, expires_at) in sorted(enumerate(proofs), key=lambda one: (one[1][0], one[0])):
        # By what came back: a driver need not count what it inserted.
        row = {"sha256": sha256, "expires_at": expires_at}
        if connection.execute(once, row).one_or_none() is None:
            used.add(place)
    return frozenset(used)
