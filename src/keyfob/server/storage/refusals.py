"""Refused requests: all of them counted by the hour, some of them recorded one by one, within a budget.

Anybody can cause refusals, without limit; the budget is what keeps them from filling the disk that grants need.
"""

from collections import Counter
from collections.abc import Sequence

import sqlalchemy as sa

from keyfob.secret import Secret
from keyfob.server.audit import chain
from keyfob.server.audit.events import Kind
from keyfob.server.refusals.causes import PROVEN
from keyfob.server.storage.change import Change
from keyfob.server.storage.records import TokenRefused
from keyfob.server.storage.schema import refusal_count

HOUR = 60 * 60
RECORDS_PER_REASON = 10
"""Audit records an hour for one reason and client. All unknown clients together are one."""

RECORDS_PER_HOUR = 1000
STRANGERS_SHARE = 500
"""Of these, at most so many for what anybody can cause: who has a secret of ours always finds room in the rest."""

KEPT_FOR = 90 * 24 * HOUR


def record(
    connection: sa.Connection, change: Change, batch: Sequence[TokenRefused], *, chain_key: Secret, now: int
) -> None:
    """Count each refusal of `batch`, and put those into the audit that the hour's budget has room for."""
    hour = now - now % HOUR
    table = refusal_count
    connection.execute(sa.delete(table).where(table.c.hour < hour - KEPT_FOR))
    left = {False: STRANGERS_SHARE, True: RECORDS_PER_HOUR}
    for reason, records in connection.execute(
        sa.select(table.c.reason, sa.func.sum(table.c.records)).where(table.c.hour == hour).group_by(table.c.reason)
    ):
        left[True] -= records
        left[False] -= 0 if reason in PROVEN else records
    kept: dict[tuple[str, str], int] = {}
    counted: Counter[tuple[str, str]] = Counter()
    recorded: Counter[tuple[str, str]] = Counter()
    for refused in batch:
        key = (refused.reason, refused.client_id or "")
        if key not in kept:
            kept[key] = _kept(connection, hour, key)
        counted[key] += 1
        is_proven = refused.reason in PROVEN
        if left[is_proven] > 0 and left[True] > 0 and kept[key] + recorded[key] < RECORDS_PER_REASON:
            left[True] -= 1
            left[False] -= 0 if is_proven else 1
            recorded[key] += 1
            _record_one(change, refused, chain_key)
    for key, count in counted.items():
        _count(connection, hour, key, count=count, records=recorded[key])


def _kept(connection: sa.Connection, hour: int, key: tuple[str, str]) -> int:
    table = refusal_count
    here = (table.c.hour == hour) & (table.c.reason == key[0]) & (table.c.client_id == key[1])
    return connection.execute(sa.select(table.c.records).where(here)).scalar_one_or_none() or 0


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
