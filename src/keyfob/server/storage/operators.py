"""Operators, their proposals, and the answers that are given again: rows in, records out."""

import json
from dataclasses import asdict

import sqlalchemy as sa

from keyfob.server.storage import schema
from keyfob.server.storage.records import Answered, Decision, Operator, Proposal, Role, State

_operator, _proposal, _answer = schema.operator, schema.proposal, schema.admin_answer


def find_all(connection: sa.Connection) -> tuple[Operator, ...]:
    """Every operator that there ever was, the removed ones too, in the order in which they came."""
    rows = connection.execute(sa.select(_operator).order_by(_operator.c.created_at, _operator.c.id))
    return tuple(_read(row) for row in rows)


def find_by_key(connection: sa.Connection, key_id: str) -> Operator | None:
    """The living operator whose key has this thumbprint (RFC 7638)."""
    chosen = sa.select(_operator).where(_operator.c.key_id == key_id, _operator.c.state != State.REVOKED.value)
    row = connection.execute(chosen).one_or_none()
    return None if row is None else _read(row)


def add(operator: Operator) -> sa.Insert:
    return sa.insert(_operator).values(**asdict(operator))


def put(operator: Operator) -> sa.Update:
    """Its role, its state and its key; its name stays."""
    values = {name: getattr(operator, name) for name in ("role", "state", "public_jwk", "key_id")}
    return sa.update(_operator).where(_operator.c.id == operator.id).values(values)


def find_proposals(connection: sa.Connection, *, proposal_id: str | None = None) -> tuple[Proposal, ...]:
    """All, the oldest first, or the one with that id."""
    chosen = sa.select(_proposal).order_by(_proposal.c.created_at, _proposal.c.id)
    if proposal_id is not None:
        chosen = chosen.where(_proposal.c.id == proposal_id)
    rows = connection.execute(chosen)
    return tuple(Proposal(**(row._asdict() | {"state": Decision(row.state)})) for row in rows)


def add_proposal(proposal: Proposal) -> sa.Insert:
    return sa.insert(_proposal).values(**asdict(proposal))


def decide(proposal_id: str, state: Decision, *, by: str, now: int) -> sa.Update:
    """Only one that still waits: of two decisions at once, one changes a row."""
    here = (_proposal.c.id == proposal_id) & (_proposal.c.state == Decision.WAITING.value)
    return sa.update(_proposal).where(here).values(state=state.value, decided_by=by, decided_at=now)


def find_answer(connection: sa.Connection, operator_id: str, key: str, *, now: int) -> Answered | None:
    here = (_answer.c.operator_id == operator_id) & (_answer.c.key == key) & (_answer.c.expires_at > now)
    row = connection.execute(sa.select(_answer.c.digest, _answer.c.document).where(here)).one_or_none()
    return None if row is None else Answered(row.digest, None if row.document is None else json.loads(row.document))


def forget_answers(*, now: int) -> sa.Delete:
    return sa.delete(_answer).where(_answer.c.expires_at <= now)


def add_answer(operator_id: str, key: str, digest: str, *, expires_at: int) -> sa.Insert:
    return sa.insert(_answer).values(operator_id=operator_id, key=key, digest=digest, expires_at=expires_at)


def put_answer(operator_id: str, key: str, document: str) -> sa.Update:
    here = (_answer.c.operator_id == operator_id) & (_answer.c.key == key)
    return sa.update(_answer).where(here).values(document=document)


def _read(row: sa.Row[*tuple[object, ...]]) -> Operator:
    fields = row._asdict()
    return Operator(**(fields | {"role": Role(fields["role"]), "state": State(fields["state"])}))
