"""Which rows and chains a transaction has to itself. One writer at a time (SQLite) needs none of these: they are free.

On PostgreSQL writers run side by side. The order in which locks are taken keeps them from waiting for each other in a
circle: the rights first, then rows in the order of their keys, a chain of the audit last.
"""

import sqlalchemy as sa

from keyfob.server.audit.chain import WRITERS
from keyfob.server.storage.schema import installation

_CHAINS = 0x6B67
"""The class of the advisory locks of chains; that of migrations is one below (keyfob.postgresql)."""


def take_rights(connection: sa.Connection) -> None:
    """Until the transaction ends nobody else changes rights: what is read now still holds when it is written."""
    if _is_shared(connection):
        connection.execute(sa.select(installation.c.revision).with_for_update())


def _is_shared(connection: sa.Connection) -> bool:
    return connection.dialect.name == "postgresql"


class Seat:
    """The chain that this process writes: the one it had before, unless another holds that at the moment."""

    def __init__(self) -> None:
        self._last = 0

    def take(self, connection: sa.Connection) -> str:
        """A chain that is this transaction's alone, to its end. Waits only when every one is taken."""
        if not _is_shared(connection):
            return WRITERS[0]
        for number in (self._last, *range(len(WRITERS))):
            if connection.execute(sa.select(sa.func.pg_try_advisory_xact_lock(_CHAINS, number))).scalar_one():
                self._last = number
                break
        else:
            connection.execute(sa.select(sa.func.pg_advisory_xact_lock(_CHAINS, self._last)))
        return str(WRITERS[self._last])
