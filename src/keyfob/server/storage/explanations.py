"""Why requests were refused, kept for a day; a flood of them neither fills the disk nor pushes others out.

Anybody can cause refusals. What only a holder of a client's secret can cause is kept apart, per client. All else is
kept per network and client, and when all is full the largest block of addresses loses its oldest, never a small one.
"""

import json
from collections import Counter
from collections.abc import Sequence

import sqlalchemy as sa

from keyfob.server.networks import block_of
from keyfob.server.refusals.causes import Cause
from keyfob.server.refusals.explanation import KEPT_FOR, Explanation
from keyfob.server.storage.schema import explanation as table
from keyfob.serving.rates import network_of

PER_HOLDER = 100
"""Explanations of one client (proven), or of one network and client: the newest."""
PER_BLOCK = 2_000
MAX_KEPT = 20_000
PER_WRITE = 100
"""At most so many are written at once: the writer's turn is short, whatever comes."""
MAX_BYTES = 2_048


def keep(connection: sa.Connection, explained: Sequence[Explanation], *, now: int) -> None:
    """Add `explained`; drop what is a day old, and what is over the budgets."""
    connection.execute(sa.delete(table).where(table.c.at <= now - KEPT_FOR))
    rows = _fair(explained)
    if not rows:
        return
    connection.execute(sa.insert(table), rows)
    for column, limit in ((table.c.holder, PER_HOLDER), (table.c.block, PER_BLOCK)):
        touched = sorted({str(row[column.name]) for row in rows})
        counted = sa.select(column).where(column.in_(touched)).group_by(column).having(sa.func.count() > limit)
        for value in connection.execute(counted).scalars().all():
            _keep_newest(connection, column, value, limit)
    _level(connection)


def find(connection: sa.Connection, error_id: str, *, now: int, client_id: str | None = None) -> Explanation | None:
    """The explanation of `error_id`, of that client if one is named; None when there is none or it is a day old."""
    chosen = sa.select(table).where(table.c.error_id == error_id, table.c.at > now - KEPT_FOR)
    if client_id is not None:
        chosen = chosen.where(table.c.client_id == client_id)
    row = connection.execute(chosen).one_or_none()
    if row is None:
        return None
    document = json.loads(row.document)
    return Explanation(
        error_id=row.error_id,
        at=row.at,
        error=document["error"],
        cause=Cause[document["cause"]],
        client_id=row.client_id,
        address=document["address"],
        facts=document["facts"],
    )


def _fair(explained: Sequence[Explanation]) -> list[dict[str, str | int | None]]:
    """The rows that go in: of each block the newest first, so that no flood keeps a single one out."""
    ranked: list[tuple[int, int, dict[str, str | int | None]]] = []
    of_holder: Counter[str] = Counter()
    of_block: Counter[str] = Counter()
    for number, one in enumerate(reversed(explained)):
        holder, block = _places(one)
        of_holder[holder] += 1
        if of_holder[holder] > PER_HOLDER:
            continue
        of_block[block] += 1
        ranked.append((of_block[block], number, _row(one, holder, block)))
    ranked.sort(key=lambda found: found[:2])
    return [row for _, _, row in ranked[:PER_WRITE]]


def _places(one: Explanation) -> tuple[str, str]:
    if one.is_proven:
        return f"client {one.client_id}", f"client {one.client_id}"
    return f"network {network_of(one.address)} {one.client_id or ''}", f"block {block_of(one.address)}"


def _row(one: Explanation, holder: str, block: str) -> dict[str, str | int | None]:
    document = {"error": one.error, "cause": one.cause.name, "address": one.address[:64], "facts": dict(one.facts)}
    text = json.dumps(document, separators=(",", ":"))
    if len(text) > MAX_BYTES:
        text = json.dumps(document | {"facts": {}}, separators=(",", ":"))
    return {
        "error_id": one.error_id,
        "at": one.at,
        "client_id": one.client_id,
        "holder": holder,
        "block": block,
        "document": text,
    }


def _keep_newest(connection: sa.Connection, column: sa.Column[str], value: str, limit: int) -> None:
    here = column == value
    newest_first = (table.c.at.desc(), table.c.error_id)
    beyond = sa.select(table.c.error_id).where(here).order_by(*newest_first).offset(limit)
    connection.execute(sa.delete(table).where(table.c.error_id.in_(beyond)))


def _level(connection: sa.Connection) -> None:
    """When there are too many in all, the largest blocks are cut to one height, a tenth below the brim."""
    if connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one() <= MAX_KEPT:
        return
    counted = connection.execute(sa.select(table.c.block, sa.func.count()).group_by(table.c.block)).all()
    sizes = {row[0]: int(row[1]) for row in counted}
    height = _height(sorted(sizes.values()), MAX_KEPT * 9 // 10)
    for block, size in sizes.items():
        if size > height:
            _keep_newest(connection, table.c.block, block, height)


def _height(sizes: Sequence[int], room: int) -> int:
    """The greatest height at which all of `sizes` (ascending), each cut to it, fit into `room`; 1 at least."""
    for number, size in enumerate(sizes):
        rest = len(sizes) - number
        if size * rest > room:
            return max(1, room // rest)
        room -= size
    return sizes[-1]
