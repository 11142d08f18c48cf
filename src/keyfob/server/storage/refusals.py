"""Refused requests: all of them counted by the hour, some of them recorded one by one, within a budget.

Anybody can cause refusals, without limit; the budget is what keeps them from filling the disk that grants need.
"""

from collections import Counter
from collections.abc import Sequence

import sqlalchemy as sa

from keyfob.secret import Secret
from keyfob.server.audit import chain
from keyfob.server.audit.events import Kind
from keyfob.server.storage.change import Change
from keyfob.server.storage.records import TokenRefused
from keyfob.server.storage.schema import refusal_count

HOUR = 60 * 60
RECORDS_PER_REASON = 10
"""Audit records an hour for one reason and client. All unknown clients together are one."""

RECORDS_PER_HOUR = 1000
KEPT_FOR = 90 * 24 * HOUR


def record(
    connection: sa.Connection, change: Change, batch: Sequence[TokenRefused], *, chain_key: Secret, now: int
) -> None:
    """Count each refusal of `batch`, and put those into the audit that the hour's budget has room for."""
    hour = now - now % HOUR
    table = refusal_count
    connection.execute(sa.delete(table).where(table.c.hour < hour - KEPT_FOR))
    kept = {
        (row.reason, row.client_id): row.records
        for row in connection.execute(sa.select(table).where(table.c.hour == hour))
    }
    counted: Counter[tuple[str, str]] = Counter()
    recorded: Counter[tuple[str, str]] = Counter()
    left = RECORDS_PER_HOUR - sum(kept.values())
    for refused in batch:
        key = (refused.reason, refused.client_id or "")
        counted[key] += 1
        if left > 0 and kept.get(key, 0) + recorded[key] < RECORDS_PER_REASON:
            left -= 1
            recorded[key] += 1
            _record_one(change, refused, chain_key)
    for key, count in counted.items():
        _count(connection, hour, key, count=count, records=recorded[key])


def _record_one(change: Change, refused: TokenRefused, chain_key: Secret) -> None:
    unknown = refused.unknown_client_id
    change.record(
        Kind.TOKEN_REFUSED,
        error=refused.error,
        reason=refused.reason,
        client_id=refused.client_id,
        unknown_client=None if unknown is None else chain.pseudonym(chain_key, unknown),
        address=refused.address,
        request_id=refused.request_id,
    )


def _count(connection: sa.Connection, hour: int, key: tuple[str, str], *, count: int, records: int) -> None:
    table = refusal_count
    reason, client_id = key
    here = (table.c.hour == hour) & (table.c.reason == reason) & (table.c.client_id == client_id)
    more = {"count": table.c["count"] + count, "records": table.c.records + records}
    if not connection.execute(sa.update(table).where(here).values(more)).rowcount:
        row = {"hour": hour, "reason": reason, "client_id": client_id, "count": count, "records": records}
        connection.execute(sa.insert(table).values(row))
