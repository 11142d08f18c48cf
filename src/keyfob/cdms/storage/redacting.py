"""The one lawful way to take the content of an audit record away: for good, with all else that was kept of it."""

import json
import zlib
from collections.abc import Mapping

import sqlalchemy as sa

from keyfob.cdms.storage import schema
from keyfob.cdms.storage.times import CLOCK_LEEWAY


def redact(connection: sa.Connection, study: str, sequence: int) -> None:
    """Raises ValueError; see Writing.redact, which records it."""
    table = schema.audit
    here = (table.c.study == study) & (table.c.seq == sequence)
    row = connection.execute(sa.select(table).where(here)).one_or_none()
    if row is None or row.payload is None or row.subject is None:
        raise ValueError(f"record {sequence} is not there, has no content, or concerns no subject")
    current = (
        sa.select(schema.item_value.c.oid)
        .join(schema.item_group)
        .where(schema.item_group.c.subject == row.subject, schema.item_value.c.seq == sequence)
    )
    if connection.execute(current.limit(1)).one_or_none() is not None:
        raise ValueError(f"the value of record {sequence} is still stored: remove or change it first")
    _forget_evidence(connection, json.loads(row.payload), at=row.at)
    connection.execute(sa.update(table).where(here).values(salt=None, payload=None))


def _forget_evidence(connection: sa.Connection, event: Mapping[str, object], *, at: int) -> None:
    """The file that a record's content came in, and the answer that was kept for its sender."""
    batch, answer = schema.batch, schema.answer
    if "batch" in event:
        emptied = {"body": zlib.compress(b"")}
        connection.execute(sa.update(batch).where(batch.c.id == event["batch"]).values(emptied))
    if "client_id" in event:
        # Both have the time of their one transaction, the record's a little later where clocks differ.
        given = (answer.c.client_id == event["client_id"]) & answer.c.at.between(at - CLOCK_LEEWAY, at)
        connection.execute(sa.delete(answer).where(given))
