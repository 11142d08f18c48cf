"""The questions to the database, on an open connection: rows in, records out."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from keyfob.oauth import authorization_details
from keyfob.oauth import scope as scopes
from keyfob.oauth.authorization_details import Details
from keyfob.oauth.client_authentication import Method
from keyfob.oauth.mutual_tls import CertificateSubject, SubjectField
from keyfob.oauth.revocation_feed import Revocation, Subject
from keyfob.prepared import Prepared
from keyfob.server.storage import announcements, operators, schema, standing, usage
from keyfob.server.storage.records import (
    Allowance,
    Announcement,
    Answered,
    Client,
    ClientView,
    Confirmation,
    Credential,
    HandoffLink,
    Operator,
    Partner,
    Profile,
    Proposal,
    Purpose,
    Registration,
    RegistrationToken,
    Resource,
    ResourceGrant,
    RevocationRecord,
    SealedMessage,
    SigningKeyRecord,
    State,
)
from keyfob.server.storage.standing import Standing
from keyfob.server.storage.usage import Narrowing, ScopeUse, Watched

_CREDENTIAL = (
    schema.credential.c.generation,
    *(column for column in schema.credential.c if column.name != "generation"),
    *(column for column in schema.credential_observation.c if column.name != "credential_id"),
)
_CREDENTIALS = schema.credential.join(
    schema.credential_observation, schema.credential_observation.c.credential_id == schema.credential.c.id
)
_ARRAYS = {"sqlite": ("json_group_array", "json_array"), "postgresql": ("json_agg", "json_build_array")}


def _array(dialect: str, rows: sa.FromClause, owner: sa.Column[Any], *columns: sa.Column[Any]) -> sa.ScalarSelect[str]:
    """The `rows` that belong to a client, as an array of JSON in no order: each row is an array of its columns."""
    all_of, one_of = (getattr(sa.func, name) for name in _ARRAYS[dialect])
    found = sa.cast(all_of(one_of(*columns)), sa.Text)
    return sa.select(found).select_from(rows).where(owner == schema.client.c.id).scalar_subquery()


def _clients(dialect: str) -> sa.Select[Any]:
    """Clients with what they may: one statement, however many rows belong to them."""
    place, grant, network = schema.client_resource, schema.client_grant, schema.client_network
    granted = (place.c.position, grant.c.resource, grant.c.scope, grant.c.is_default)
    return sa.select(
        schema.client,
        _array(dialect, place.join(grant), place.c.client_id, *granted).label("grants"),
        _array(dialect, network, network.c.client_id, network.c.network).label("networks"),
    )


def _client_asked_for(dialect: str) -> sa.Select[Any]:
    """One with its partner's state and its credentials; for an unknown id another, since that takes as long."""
    like, first = schema.client.alias("like"), sa.select(sa.func.min(schema.client.c.id)).scalar_subquery()
    asked: sa.BindParameter[str] = sa.bindparam("asked")
    one = sa.select(like.c.id).where(sa.or_(like.c.id == asked, like.c.id == first)).order_by(like.c.id != asked)
    one = one.limit(sa.literal_column("1")).offset(sa.literal_column("0"))
    credentials = _array(dialect, _CREDENTIALS, schema.credential.c.client_id, *_CREDENTIAL)
    return (
        _clients(dialect)
        .add_columns(schema.partner.c.state.label("partner_state"), credentials.label("credentials"))
        .join(schema.partner, schema.partner.c.id == schema.client.c.partner_id)
        .where(schema.client.c.id == one.scalar_subquery())
    )


# For a client's first token in a while, which with very many clients is most of their tokens.
_CLIENT = {dialect: Prepared(_client_asked_for(dialect)) for dialect in _ARRAYS}


class Reading:
    """What can be asked inside a transaction, of a reader or of a writer alike."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def usage(self, client_id: str) -> tuple[ScopeUse, ...]:
        return usage.of_client(self._connection, client_id)

    def watched(self, resource: str) -> tuple[Watched, ...]:
        return usage.watched(self._connection, resource)

    def granted_at(self, client_id: str) -> Mapping[tuple[str, str], int]:
        return usage.granted_at(self._connection, client_id)

    def find_narrowing(self, client_id: str) -> Narrowing | None:
        return usage.find_narrowing(self._connection, client_id)

    def revision(self) -> int:
        return int(self._connection.execute(sa.select(schema.installation.c.revision)).scalar_one())

    def partners(self) -> tuple[Partner, ...]:
        rows = self._connection.execute(sa.select(schema.partner).order_by(schema.partner.c.name))
        return tuple(_partner(row) for row in rows)

    def find_partner(self, name: str) -> Partner | None:
        row = self._connection.execute(sa.select(schema.partner).where(schema.partner.c.name == name)).one_or_none()
        return None if row is None else _partner(row)

    def partner_of(self, client: Client) -> Partner:
        chosen = sa.select(schema.partner).where(schema.partner.c.id == client.partner_id)
        return _partner(self._connection.execute(chosen).one())

    def resources(self) -> tuple[Resource, ...]:
        scopes: dict[str, list[tuple[str, str]]] = {}
        for row in self._connection.execute(sa.select(schema.resource_scope).order_by("resource", "scope")):
            scopes.setdefault(row.resource, []).append((row.scope, row.description))
        rows = self._connection.execute(sa.select(schema.resource).order_by(schema.resource.c.url))
        return tuple(_resource(row, scopes.get(row.url, [])) for row in rows)

    def clients(
        self, *, partner_id: str | None = None, after: tuple[int, str] | None = None, limit: int | None = None
    ) -> tuple[Client, ...]:
        """All clients or one partner's, in the order of their creation; or a part, `after` a date and id."""
        place = schema.client.c.created_at, schema.client.c.id
        chosen = _clients(self._connection.dialect.name).order_by(*place).limit(limit)
        if partner_id is not None:
            chosen = chosen.where(schema.client.c.partner_id == partner_id)
        if after is not None:
            chosen = chosen.where(sa.tuple_(*place) > sa.tuple_(*map(sa.literal, after)))
        return tuple(_client(row._asdict()) for row in self._connection.execute(chosen))

    def find_client(self, client_id: str) -> ClientView | None:
        """The client, or None. For an unknown id another client is read, and put away: the time must be the same."""
        row = _CLIENT[self._connection.dialect.name].find(self._connection, {"asked": client_id})
        if row is None:
            return None
        fields = row._asdict()
        state, credentials = State(fields.pop("partner_state")), _credentials(fields.pop("credentials"))
        view = ClientView(_client(fields), state, credentials)
        return view if view.client.id == client_id else None

    def certificate_sets(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The JWK sets by value, and the URLs of others, of clients whose certificates may be among their keys."""
        table = schema.client
        by_certificate = table.c.auth_method == Method.SELF_SIGNED_TLS_CLIENT_AUTH.value
        rows = self._connection.execute(
            sa.select(table.c.jwks, table.c.jwks_uri).where(
                table.c.state != State.REVOKED.value, sa.or_(by_certificate, table.c.certificate_bound)
            )
        ).all()
        return (
            tuple(row.jwks for row in rows if row.jwks is not None),
            tuple(row.jwks_uri for row in rows if row.jwks_uri is not None),
        )

    def credentials(self, client_id: str) -> tuple[Credential, ...]:
        """All credentials that a client ever had, the oldest first."""
        chosen = sa.select(*_CREDENTIAL).select_from(_CREDENTIALS).where(schema.credential.c.client_id == client_id)
        rows = self._connection.execute(chosen.order_by(schema.credential.c.generation))
        return tuple(_credential(row) for row in rows)

    def standings(self, *, until: int | None = None) -> tuple[Standing, ...]:
        """The credentials that are not at their end, of active clients and partners. `until`: see standing.read."""
        return standing.read(self._connection, until=until)

    def find_message(self, credential_id: str) -> SealedMessage | None:
        chosen = sa.select(schema.sealed_message).where(schema.sealed_message.c.credential_id == credential_id)
        row = self._connection.execute(chosen).one_or_none()
        return None if row is None else SealedMessage(**row._asdict())

    def find_kept(self, credential_id: str, *, now: int) -> bytes | None:
        """The ciphertext that holds the credential's secret, armored; None when it is not kept (any more)."""
        table = schema.kept_message
        chosen = sa.select(table.c.armored).where(table.c.credential_id == credential_id, table.c.keep_until > now)
        found = self._connection.execute(chosen).scalar_one_or_none()
        return None if found is None else str(found).encode("ascii")

    def find_link(self, token_hash: str) -> HandoffLink | None:
        table = schema.handoff_link
        row = self._connection.execute(sa.select(table).where(table.c.token_hash == token_hash)).one_or_none()
        return None if row is None else HandoffLink(**row._asdict())

    def find_secret_hash(self, credential_id: str) -> tuple[str, str] | None:
        """Whose credential it is, and its hash. One look, whether there is one or not."""
        table = schema.credential
        columns = sa.select(table.c.client_id, table.c.secret_hash)
        row = self._connection.execute(columns.where(table.c.id == credential_id)).one_or_none()
        return None if row is None else (row.client_id, row.secret_hash)

    def client_id_of(self, credential_id: str) -> str:
        table = schema.credential
        chosen = sa.select(table.c.client_id).where(table.c.id == credential_id)
        return str(self._connection.execute(chosen).scalar_one())

    def signing_keys(self, purpose: Purpose = Purpose.ACCESS_TOKENS) -> tuple[SigningKeyRecord, ...]:
        """All of one purpose that are not revoked, the newest first. When each signs: lifecycle.signing_keys."""
        found = self.all_signing_keys()
        return tuple(one for one in found if one.state is not State.REVOKED and one.purpose is purpose)

    def all_signing_keys(self) -> tuple[SigningKeyRecord, ...]:
        """The revoked ones, too, the newest first."""
        table = schema.signing_key
        rows = self._connection.execute(sa.select(table).order_by(table.c.created_at.desc(), table.c.kid))
        typed = [row._asdict() | {"state": State(row.state), "purpose": Purpose(row.purpose)} for row in rows]
        return tuple(SigningKeyRecord(**fields) for fields in typed)

    def revocations(self) -> tuple[RevocationRecord, ...]:
        """All that are kept, in the order of their sequence."""
        table = schema.revocation
        rows = self._connection.execute(
            sa.select(table).order_by(table.c.sequence, table.c.subject, table.c.subject_id)
        )
        return tuple(
            RevocationRecord(
                Revocation(Subject(row.subject), row.subject_id, row.cutoff, row.forget_at),
                client_id=row.client_id,
                resource=row.resource,
                sequence=row.sequence,
            )
            for row in rows
        )

    def operators(self) -> tuple[Operator, ...]:
        """Every operator that there ever was, the removed ones too, in the order in which they came."""
        return operators.find_all(self._connection)

    def find_operator(self, key_id: str) -> Operator | None:
        """The living operator whose key has this thumbprint (RFC 7638)."""
        return operators.find_by_key(self._connection, key_id)

    def announcements(self, *, client_id: str | None = None, waiting: bool = False) -> tuple[Announcement, ...]:
        """Changes that were announced, the oldest first; `waiting`: none that counts by now or was stopped."""
        return announcements.find(self._connection, client_id=client_id, waiting=waiting)

    def find_announcement(self, announcement_id: str) -> Announcement | None:
        return next(iter(announcements.find(self._connection, announcement_id=announcement_id)), None)

    def proposals(self) -> tuple[Proposal, ...]:
        return operators.find_proposals(self._connection)

    def find_proposal(self, proposal_id: str) -> Proposal | None:
        return next(iter(operators.find_proposals(self._connection, proposal_id=proposal_id)), None)

    def find_answer(self, operator_id: str, key: str, *, now: int) -> Answered | None:
        """What an act under that Idempotency-Key came to, less than a day ago."""
        return operators.find_answer(self._connection, operator_id, key, now=now)

    def remembered_until(self, client_id: str) -> int:
        """From this second on no token of the client that was withdrawn can be alive; 0 when none was."""
        table = schema.revocation
        chosen = sa.select(sa.func.max(table.c.forget_at)).where(table.c.client_id == client_id)
        return int(self._connection.execute(chosen).scalar_one() or 0)

    def refusals(self, hour: int) -> list[tuple[str, str, int, int]]:
        """(reason, client_id or "", count, audit records) of an hour."""
        table = schema.refusal_count
        rows = self._connection.execute(
            sa.select(table.c.reason, table.c.client_id, table.c["count"], table.c.records).where(table.c.hour == hour)
        )
        return [(row[0], row[1], row[2], row[3]) for row in rows]

    def allowances(self) -> tuple[Allowance, ...]:
        """All that were ever made, the oldest first."""
        table = schema.registration_allowance
        rows = self._connection.execute(sa.select(table).order_by(table.c.created_at, table.c.id))
        return tuple(_allowance(row) for row in rows)

    def find_allowance(self, allowance_id: str) -> Allowance | None:
        chosen = sa.select(schema.registration_allowance).where(schema.registration_allowance.c.id == allowance_id)
        row = self._connection.execute(chosen).one_or_none()
        return None if row is None else _allowance(row)

    def find_registration(self, client_id: str) -> Registration | None:
        chosen = sa.select(schema.client_registration).where(schema.client_registration.c.client_id == client_id)
        row = self._connection.execute(chosen).one_or_none()
        return None if row is None else Registration(**(row._asdict() | {"described": json.loads(row.described)}))

    def find_registration_token(self, token_id: str) -> RegistrationToken | None:
        chosen = sa.select(schema.registration_token).where(schema.registration_token.c.id == token_id)
        row = self._connection.execute(chosen).one_or_none()
        return None if row is None else RegistrationToken(**row._asdict())

    def newest_registration_token(self, client_id: str) -> RegistrationToken:
        """A registered client has one."""
        table = schema.registration_token
        chosen = sa.select(table).where(table.c.client_id == client_id).order_by(table.c.generation.desc()).limit(1)
        return RegistrationToken(**self._connection.execute(chosen).one()._asdict())


def _partner(row: sa.Row[*tuple[object, ...]]) -> Partner:
    fields = row._asdict()
    how = Confirmation(fields["fingerprint_confirmed_how"])
    return Partner(**(fields | {"state": State(fields["state"]), "fingerprint_confirmed_how": how}))


def _resource(row: sa.Row[*tuple[object, ...]], scopes: Sequence[tuple[str, str]]) -> Resource:
    fields = row._asdict()
    types = tuple(json.loads(fields["authorization_details_types"]))
    return Resource(**(fields | {"scopes": tuple(scopes), "authorization_details_types": types}))


def _client(fields: dict[str, Any]) -> Client:
    """Of a row of `_clients`."""
    named, subject = fields.pop("tls_subject_field"), fields["tls_subject"]
    return Client(
        **(
            fields
            | {
                "state": State(fields["state"]),
                "auth_method": Method(fields["auth_method"]),
                "profile": Profile(fields["profile"]),
                # A driver by itself may know only numbers.
                "dpop_bound": bool(fields["dpop_bound"]),
                "certificate_bound": bool(fields["certificate_bound"]),
                "grants": _grants(fields["grants"]),
                "networks": tuple(sorted(network for (network,) in _listed(fields["networks"]))),
                "authorization_details": read_details(fields["authorization_details"]),
                "tls_subject": None if named is None else CertificateSubject(SubjectField(named), subject),
            }
        )
    )


def _grants(found: str | None) -> tuple[ResourceGrant, ...]:
    granted: dict[str, dict[str, bool]] = {}
    for _, resource, scope, is_default in sorted(_listed(found)):  # by their positions
        granted.setdefault(resource, {})[scope] = bool(is_default)
    return tuple(
        ResourceGrant(resource, frozenset(of), frozenset(scope for scope in of if of[scope]) or None)
        for resource, of in granted.items()
    )


def _credentials(found: str | None) -> tuple[Credential, ...]:
    return tuple(_credential(values) for values in sorted(_listed(found)))  # by their generations


def _listed(found: str | None) -> list[list[Any]]:
    """What `_array` found; PostgreSQL says NULL where there is nothing."""
    return json.loads(found) if found else []


def _allowance(row: sa.Row[*tuple[object, ...]]) -> Allowance:
    fields = row._asdict()
    typed = {
        "state": State(fields["state"]),
        "scope": scopes.parse(fields["scope"]),
        "resources": tuple(json.loads(fields["resources"])),
        "authorization_details": read_details(fields["authorization_details"]),
        "profile": Profile(fields["profile"]),
    }
    return Allowance(**(fields | typed))


def _credential(values: Sequence[Any]) -> Credential:
    """Of the values of `_CREDENTIAL`."""
    fields = dict(zip((column.name for column in _CREDENTIAL), values, strict=True))
    del fields["generation"]
    return Credential(**(fields | {"state": State(fields["state"]), "emergency": bool(fields["emergency"])}))


def read_details(text: str) -> Details:
    """The stored column. An empty array is no study at all, which the wire form of a request does not know."""
    return () if text == "[]" else authorization_details.parse(text)


def write_details(details: Details) -> str:
    return authorization_details.write(details) if details else "[]"
