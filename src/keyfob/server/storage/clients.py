"""The rows of a client: what it may do, from where, and by which keys it proves itself."""

from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from keyfob.server.storage import schema, usage
from keyfob.server.storage.reading import write_details
from keyfob.server.storage.records import Client
from keyfob.server.storage.rows import row_of

_client = schema.client


def add(connection: sa.Connection, client: Client, *, now: int) -> None:
    row = row_of(client)
    row["authorization_details"] = write_details(client.authorization_details)
    del row["grants"], row["networks"], row["tls_subject"]
    if client.tls_subject is not None:
        row |= {"tls_subject_field": client.tls_subject.field.value, "tls_subject": client.tls_subject.value}
    connection.execute(sa.insert(_client).values(row))
    _add_networks(connection, client.id, client.networks)
    _add_grants(connection, client, {}, now=now)


def change(connection: sa.Connection, client: Client, *, now: int) -> None:
    """In place of what there is; a right that it had keeps its date."""
    connection.execute(sa.update(_client).where(_client.c.id == client.id).values(_limits(client)))
    held = usage.granted_at(connection, client.id)
    for rows in (schema.client_grant, schema.client_resource):
        connection.execute(sa.delete(rows).where(rows.c.client_id == client.id))
    _add_grants(connection, client, held, now=now)
    set_networks(connection, client.id, client.networks)
    connection.execute(set_keys(client.id, jwks=client.jwks, jwks_uri=client.jwks_uri))


def narrow(connection: sa.Connection, client: Client) -> None:
    """What is too much goes; nothing is added."""
    places, grants = schema.client_resource, schema.client_grant
    values = {"name": client.name, **_limits(client)}
    connection.execute(sa.update(_client).where(_client.c.id == client.id).values(values))
    kept = {grant.resource: sorted(grant.scope) for grant in client.grants}
    for resource, scope in kept.items():
        here = (grants.c.client_id == client.id) & (grants.c.resource == resource)
        connection.execute(sa.delete(grants).where(here, grants.c.scope.not_in(scope)))
    for rows in (grants, places):
        gone = rows.c.resource.not_in(sorted(kept))
        connection.execute(sa.delete(rows).where(rows.c.client_id == client.id, gone))


def set_keys(client_id: str, *, jwks: str | None, jwks_uri: str | None) -> sa.Update:
    return sa.update(_client).where(_client.c.id == client_id).values(jwks=jwks, jwks_uri=jwks_uri)


def set_networks(connection: sa.Connection, client_id: str, networks: Sequence[str]) -> None:
    table = schema.client_network
    connection.execute(sa.delete(table).where(table.c.client_id == client_id))
    _add_networks(connection, client_id, networks)


def _limits(client: Client) -> dict[str, object]:
    return {
        "token_lifetime": client.token_lifetime,
        "dpop_bound": client.dpop_bound,
        "certificate_bound": client.certificate_bound,
        "authorization_details": write_details(client.authorization_details),
    }


def _add_networks(connection: sa.Connection, client_id: str, networks: Sequence[str]) -> None:
    for network in networks:
        connection.execute(sa.insert(schema.client_network).values(client_id=client_id, network=network))


def _add_grants(connection: sa.Connection, client: Client, held: Mapping[tuple[str, str], int], *, now: int) -> None:
    """`held`: since when it has what it had before."""
    for position, grant in enumerate(client.grants):
        place = {"client_id": client.id, "resource": grant.resource}
        connection.execute(sa.insert(schema.client_resource).values(place | {"position": position}))
        for scope in sorted(grant.scope):
            is_default = scope in (grant.default_scope or frozenset())
            granted_at = held.get((grant.resource, scope), now)
            values = place | {"scope": scope, "is_default": is_default, "granted_at": granted_at}
            connection.execute(sa.insert(schema.client_grant).values(values))
