"""The audit trail in the database: appended inside the transaction of what it tells about, read in order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from keyfob import ledger
from keyfob.ambient import Entropy
from keyfob.secret import Secret
from keyfob.server.audit import chain, events
from keyfob.server.audit.events import AuditEvent
from keyfob.server.storage.schema import audit_record

_BATCH = 500

# Read through casts: SQLite lets a forger put any type into any column, and that must end as a finding of `verify`,
# not as an error in the middle of it.
_COLUMNS = tuple(
    sa.cast(audit_record.c[name], audit_record.c[name].type).label(name)
    for name in ("sequence", "at", "salt", "payload", "commitment", "link")
)


@dataclass(frozen=True, slots=True)
class Journal:
    """Writes one writer's chain. `chain_key` lies outside the database: who can write that alone cannot re-chain."""

    chain_key: Secret
    entropy: Entropy = field(repr=False)
    writer: str = chain.MAIN

    def append(self, connection: sa.Connection, recorded: Sequence[AuditEvent], now: int) -> None:
        """Add to the chain. The head is read here, inside the write transaction, so that two never follow one."""
        if not recorded:
            return
        entries = chain.extend(
            head(connection, self.writer),
            [events.write(event) for event in recorded],
            key=chain.writer_key(self.chain_key, self.writer),
            salts=[self.entropy(chain.SALT_BYTES) for _ in recorded],
            now=now,
        )
        connection.execute(
            sa.insert(audit_record),
            [
                {
                    "writer": self.writer,
                    "sequence": entry.sequence,
                    "at": entry.at,
                    "salt": entry.salt,
                    "payload": entry.payload,
                    "commitment": entry.commitment,
                    "link": entry.link,
                }
                for entry in entries
            ],
        )


def head(connection: sa.Connection, writer: str) -> ledger.Head | None:
    """The last record of a chain; None when it is empty."""
    columns = audit_record.c
    row = connection.execute(
        sa.select(columns.sequence, columns.link)
        .where(columns.writer == writer)
        .order_by(columns.sequence.desc())
        .limit(1)
    ).one_or_none()
    return None if row is None else ledger.Head(row.sequence, bytes(row.link))


def writers(connection: sa.Connection) -> list[str]:
    """Every name under which there are records."""
    return list(connection.execute(sa.select(audit_record.c.writer).distinct().order_by("writer")).scalars())


def entries(connection: sa.Connection, writer: str) -> Iterator[ledger.Entry]:
    """A whole chain, in order, a few at a time."""
    statement = sa.select(*_COLUMNS).where(audit_record.c.writer == writer)
    yield from _entries(connection, statement.order_by(audit_record.c.sequence))


def tail(connection: sa.Connection, writer: str, count: int) -> list[ledger.Entry]:
    """The last `count` records of a chain, the oldest first."""
    newest = sa.select(*_COLUMNS).where(audit_record.c.writer == writer)
    statement = newest.order_by(audit_record.c.sequence.desc()).limit(count)
    return list(_entries(connection, statement))[::-1]


def _entries(connection: sa.Connection, statement: sa.Select[*tuple[object, ...]]) -> Iterator[ledger.Entry]:
    for row in connection.execution_options(yield_per=_BATCH).execute(statement):
        yield ledger.Entry(
            sequence=row.sequence,
            at=row.at,
            salt=row.salt,
            payload=row.payload,
            commitment=row.commitment,
            link=row.link,
        )
