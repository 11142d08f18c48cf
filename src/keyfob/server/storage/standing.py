"""Whose credentials live, and how they stand: what the calendar and `status` look at. Read only."""

from dataclasses import dataclass

import sqlalchemy as sa

from keyfob.oauth.client_authentication import Method
from keyfob.server.storage import schema
from keyfob.server.storage.records import Credential, State

_LIVING = (State.ACTIVE.value, State.RETIRING.value)


@dataclass(frozen=True, slots=True)
class Standing:
    """A credential that is not at its end, and whose it is. Clients and partners are active ones."""

    credential: Credential
    client_name: str
    auth_method: Method
    partner_id: str
    partner: str


def read(connection: sa.Connection, *, until: int | None = None) -> tuple[Standing, ...]:
    """The oldest first of each client.

    `until`: only of clients of which something ends by then, and of each partner one secret more, which says that it
    has any.
    """
    credential, observed = schema.credential, schema.credential_observation
    client, partner = schema.client, schema.partner
    rows = connection.execute(
        sa.select(
            *(column for column in credential.c if column.name != "generation"),
            *(column for column in observed.c if column.name != "credential_id"),
            client.c.name.label("client_name"),
            client.c.auth_method,
            client.c.partner_id,
            partner.c.name.label("partner"),
        )
        .join(observed, observed.c.credential_id == credential.c.id)
        .join(client, client.c.id == credential.c.client_id)
        .join(partner, partner.c.id == client.c.partner_id)
        .where(
            credential.c.state.in_(_LIVING),
            client.c.state == State.ACTIVE.value,
            partner.c.state == State.ACTIVE.value,
            sa.true()
            if until is None
            else sa.or_(credential.c.client_id.in_(_ending(until)), credential.c.id.in_(_a_secret())),
        )
        .order_by(credential.c.client_id, credential.c.generation)
    )
    return tuple(_standing(row._asdict()) for row in rows)


def _ending(until: int) -> sa.Select[tuple[str]]:
    """The clients of the living credentials that end by then."""
    other = schema.credential.alias()
    return sa.select(other.c.client_id).where(other.c.expires_at <= until, other.c.state.in_(_LIVING))


def _a_secret() -> sa.Select[tuple[str]]:
    """The id of one living secret of each partner. One look for each, however many clients it has."""
    credential, observed, client = schema.credential, schema.credential_observation, schema.client
    one = (
        sa.select(credential.c.id)
        .join(client, client.c.id == credential.c.client_id)
        .join(observed, observed.c.credential_id == credential.c.id)
        .where(
            client.c.partner_id == schema.partner.c.id,
            client.c.state == State.ACTIVE.value,
            credential.c.state.in_(_LIVING),
            observed.c.sealed_at.is_not(None),
        )
        .limit(1)
        .correlate(schema.partner)
        .scalar_subquery()
    )
    return sa.select(one).select_from(schema.partner)


def _standing(fields: dict[str, object]) -> Standing:
    name, method, partner_id, partner = (
        str(fields.pop(key)) for key in ("client_name", "auth_method", "partner_id", "partner")
    )
    fields["state"] = State(str(fields["state"]))
    return Standing(Credential(**fields), name, Method(method), partner_id, partner)  # type: ignore[arg-type]  # a row
