"""Changes that were announced and do not count yet: rows in, records out."""

from dataclasses import asdict

import sqlalchemy as sa

from keyfob.server.storage import schema
from keyfob.server.storage.records import Announced, Announcement

_table = schema.announced_change


def find(
    connection: sa.Connection,
    *,
    announcement_id: str | None = None,
    client_id: str | None = None,
    waiting: bool = False,
) -> tuple[Announcement, ...]:
    """All, the oldest first, or those with that id, of that client, and that wait."""
    chosen = sa.select(_table).order_by(_table.c.announced_at, _table.c.id)
    if waiting:
        chosen = chosen.where(_table.c.state == Announced.WAITING.value)
    if announcement_id is not None:
        chosen = chosen.where(_table.c.id == announcement_id)
    if client_id is not None:
        chosen = chosen.where(_table.c.client_id == client_id)
    rows = connection.execute(chosen)
    return tuple(Announcement(**(row._asdict() | {"state": Announced(row.state)})) for row in rows)


def add(one: Announcement) -> sa.Insert:
    return sa.insert(_table).values(asdict(one) | {"state": one.state.value})


def settle(announcement_id: str, state: Announced, *, now: int) -> sa.Update:
    """Only one that still waits: of two that settle it at once, one changes a row."""
    here = (_table.c.id == announcement_id) & (_table.c.state == Announced.WAITING.value)
    return sa.update(_table).where(here).values(state=state.value, settled_at=now)
