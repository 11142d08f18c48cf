"""The outbox: notices that were written with the acts that cause them, how far each delivery is, and who delivers.

    written (routed_at NULL) -> routed: a row for each channel -> waiting -> delivered | dead
                                        no channel was set     -> unsent

A delivery is marked after it was made: a crash between the two repeats it, and never loses it. The id stays the same.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from keyfob.database import Database
from keyfob.server.notices.notice import Notice, NoticeKind, Role
from keyfob.server.storage import schema

NO_CHANNEL = "none"
PARTNER_WEBHOOK = "partner-webhook"
_BATCH = 50
_FORGET_AFTER = 400 * 24 * 3600


class DeliveryState(StrEnum):
    WAITING = "waiting"
    DELIVERED = "delivered"
    DEAD = "dead"
    UNSENT = "unsent"


@dataclass(frozen=True, slots=True)
class Parcel:
    """A notice on one of its ways; `email` and `partner` are the partner's as of now, None when it has gone."""

    notice: Notice
    channel: str
    state: DeliveryState
    attempts: int
    reason: str | None
    partner: str | None
    email: str | None


def add(connection: sa.Connection, notice: Notice) -> None:
    """In the transaction of the act; a notice that was written before is left as it is."""
    row = {
        "id": notice.id,
        "kind": notice.kind.value,
        "subject": notice.subject,
        "threshold": notice.threshold,
        "recipient": notice.recipient.value,
        "partner_id": notice.partner_id,
        "facts": json.dumps(dict(notice.facts)),
        "attachment": notice.attachment,
        "created_at": notice.at,
    }
    connection.execute(_insert(connection, schema.notice).values(row).on_conflict_do_nothing())


class Outbox:
    """`patience`: see Store. Safe to use from threads."""

    def __init__(self, database: Database, *, patience: float | None) -> None:
        self._database = database
        self._patience = patience

    def known(self, ids: Collection[str]) -> frozenset[str]:
        """Which of these were written already."""
        chosen = sa.select(schema.notice.c.id).where(schema.notice.c.id.in_(sorted(ids)))
        with self._database.read() as connection:
            return frozenset(connection.execute(chosen).scalars())

    def has_work(self, now: int) -> bool:
        """Whether something is to be routed or delivered. Two looks into an index."""
        delivery = schema.notice_delivery
        unrouted = sa.select(schema.notice.c.id).where(schema.notice.c.routed_at.is_(None)).limit(1)
        waiting = sa.select(delivery.c.notice_id).where(
            delivery.c.state == DeliveryState.WAITING.value, delivery.c.next_at <= now
        )
        return self._database.scalar(unrouted) is not None or self._database.scalar(waiting.limit(1)) is not None

    def add(self, notices: Sequence[Notice]) -> None:
        """Notices that no act causes but the calendar. What is very old is forgotten."""
        table, delivery = schema.notice, schema.notice_delivery
        with self._database.write(patience=self._patience) as connection:
            for notice in notices:
                add(connection, notice)
            newest = max((notice.at for notice in notices), default=0)
            old = sa.select(table.c.id).where(table.c.created_at < newest - _FORGET_AFTER)
            connection.execute(sa.delete(delivery).where(delivery.c.notice_id.in_(old)))
            connection.execute(sa.delete(table).where(table.c.created_at < newest - _FORGET_AFTER))

    def route(self, channels: Mapping[Role, Sequence[str]], now: int) -> None:
        """A row for each way that a new notice takes; where there is none, a row that says so.

        A partner with a webhook of its own is told there, too.
        """
        with self._database.write(patience=self._patience) as connection:
            table, partner = schema.notice, schema.partner
            chosen = sa.select(table.c.id, table.c.recipient, partner.c.webhook)
            joined = chosen.join(partner, partner.c.id == table.c.partner_id, isouter=True)
            unrouted = joined.where(table.c.routed_at.is_(None)).limit(_BATCH)
            for row in connection.execute(unrouted).all():
                names = channels[Role(row.recipient)]
                if row.recipient == Role.PARTNER and row.webhook is not None:
                    names = [*names, PARTNER_WEBHOOK]
                state = DeliveryState.WAITING if names else DeliveryState.UNSENT
                for name in names or (NO_CHANNEL,):
                    values = {"notice_id": row.id, "channel": name, "state": state, "attempts": 0, "next_at": now}
                    connection.execute(sa.insert(schema.notice_delivery).values(values))
                mark = sa.update(schema.notice).where(schema.notice.c.id == row.id).values(routed_at=now)
                connection.execute(mark)

    def due(self, now: int) -> tuple[Parcel, ...]:
        """What is to be delivered now, the oldest first; some of it when there is much."""
        delivery = schema.notice_delivery
        return self._parcels(delivery.c.state == DeliveryState.WAITING.value, delivery.c.next_at <= now, limit=_BATCH)

    def unsettled(self) -> tuple[Parcel, ...]:
        """All that nobody was told so far, the oldest first."""
        return self._parcels(schema.notice_delivery.c.state != DeliveryState.DELIVERED.value)

    def newest(self, count: int) -> tuple[Parcel, ...]:
        """The last `count`, whatever came of them, the newest first."""
        return self._parcels(limit=count, newest=True)

    def unrouted(self) -> int:
        """How many nobody has looked at: no server runs."""
        chosen = sa.select(sa.func.count()).select_from(schema.notice).where(schema.notice.c.routed_at.is_(None))
        return int(str(self._database.scalar(chosen)))

    def delivered(self, parcel: Parcel, now: int) -> None:
        self._settle(parcel, {"state": DeliveryState.DELIVERED.value, "reason": None, "settled_at": now})

    def failed(self, parcel: Parcel, reason: str, *, next_at: int | None, now: int) -> None:
        """`next_at` None: it is given up, and an operator may let it be tried again."""
        values: dict[str, object] = {"reason": reason}
        if next_at is None:
            values |= {"state": DeliveryState.DEAD.value, "settled_at": now}
        else:
            values |= {"next_at": next_at}
        self._settle(parcel, values)

    def retry(self, ids: Sequence[str] | None, now: int, *, dry_run: bool = False) -> int:
        """Try again what was given up or had no way to go; None: all of it. Returns how many notices."""
        table, delivery = schema.notice, schema.notice_delivery
        given_up = delivery.c.state.in_([DeliveryState.DEAD.value, DeliveryState.UNSENT.value])
        chosen = sa.select(delivery.c.notice_id, delivery.c.channel).where(given_up)
        if ids is not None:
            chosen = chosen.where(delivery.c.notice_id.in_(list(ids)))
        with self._database.write(patience=self._patience) as connection:
            found = connection.execute(chosen).all()
            for row in () if dry_run else found:
                here = (delivery.c.notice_id == row.notice_id) & (delivery.c.channel == row.channel)
                if row.channel == NO_CHANNEL:
                    connection.execute(sa.delete(delivery).where(here))
                    again = sa.update(table).where(table.c.id == row.notice_id)
                    connection.execute(again.values(routed_at=None))
                else:
                    values = {"state": DeliveryState.WAITING.value, "attempts": 0, "next_at": now, "settled_at": None}
                    connection.execute(sa.update(delivery).where(here).values(values))
        return len({row.notice_id for row in found})

    def _settle(self, parcel: Parcel, values: Mapping[str, object]) -> None:
        table = schema.notice_delivery
        here = (table.c.notice_id == parcel.notice.id) & (table.c.channel == parcel.channel)
        with self._database.write(patience=self._patience) as connection:
            counted = dict(values) | {"attempts": table.c.attempts + 1}
            connection.execute(sa.update(table).where(here).values(counted))

    def _parcels(
        self, *conditions: sa.ColumnElement[bool], limit: int | None = None, newest: bool = False
    ) -> tuple[Parcel, ...]:
        table, delivery, partner = schema.notice, schema.notice_delivery, schema.partner
        made = table.c.created_at.desc() if newest else table.c.created_at
        chosen = (
            sa.select(
                table,
                delivery.c.channel,
                delivery.c.state,
                delivery.c.attempts,
                delivery.c.reason,
                partner.c.name,
                partner.c.email,
            )
            .join(delivery, delivery.c.notice_id == table.c.id)
            .join(partner, partner.c.id == table.c.partner_id, isouter=True)
            .where(*conditions)
            .order_by(made, table.c.id, delivery.c.channel)
            .limit(limit)
        )
        with self._database.read() as connection:
            return tuple(_parcel(row) for row in connection.execute(chosen))


def _parcel(row: sa.Row[*tuple[object, ...]]) -> Parcel:
    fields = row._asdict()
    notice = Notice(
        kind=NoticeKind(fields["kind"]),
        subject=fields["subject"],
        recipient=Role(fields["recipient"]),
        at=fields["created_at"],
        threshold=fields["threshold"],
        partner_id=fields["partner_id"],
        facts=json.loads(fields["facts"]),
        attachment=fields["attachment"],
    )
    state = DeliveryState(fields["state"])
    return Parcel(
        notice, fields["channel"], state, fields["attempts"], fields["reason"], fields["name"], fields["email"]
    )


def _insert(connection: sa.Connection, table: sa.Table) -> "postgresql.Insert | sqlite.Insert":
    return (postgresql.insert if connection.dialect.name == "postgresql" else sqlite.insert)(table)
