"""A change of rights and its audit records, in one transaction. There is no other way to change a right."""

import json
from collections.abc import Mapping, Sequence

import sqlalchemy as sa

from keyfob import moving
from keyfob.oauth import scope as scopes
from keyfob.oauth.client_authentication import Method
from keyfob.oauth.revocation_feed import Revocation
from keyfob.oauth.usage_report import Report
from keyfob.prepared import Prepared
from keyfob.server.audit.events import Acting, Actor, AuditEvent, Field, Kind
from keyfob.server.notices.notice import Notice
from keyfob.server.storage import (
    announcements,
    clients,
    forgetting,
    locks,
    operators,
    outbox,
    schema,
    single_uses,
    usage,
)
from keyfob.server.storage.journal import Journal
from keyfob.server.storage.reading import Reading, write_details
from keyfob.server.storage.records import (
    Allowance,
    Announced,
    Announcement,
    Client,
    Credential,
    Decision,
    HandoffLink,
    Operator,
    Partner,
    Proposal,
    Registration,
    RegistrationToken,
    Resource,
    SealedMessage,
    SigningKeyRecord,
    State,
    TokenIssued,
)
from keyfob.server.storage.rows import row_of
from keyfob.server.storage.usage import Narrowing

_OBSERVED = frozenset(schema.credential_observation.c.keys())
_RIGHTS = frozenset(schema.credential.c.keys())
_USED = Prepared(
    sa.update(schema.credential_observation)
    .where(schema.credential_observation.c.credential_id == sa.bindparam("used"))
    .values(last_used_at=sa.bindparam("at"), last_used_from=sa.bindparam("from"))
)


class Change:
    """What can be written inside one transaction. `finish` is called once, by whoever opened it."""

    def __init__(
        self,
        connection: sa.Connection,
        journal: Journal,
        *,
        now: int,
        actor: Acting,
        facts: Mapping[str, Field] | None = None,
    ) -> None:
        """`facts` stand in every record that names no other actor."""
        self._connection = connection
        self._journal = journal
        self._now = now
        self._actor = actor if isinstance(actor, Actor) else Actor(actor)
        self._facts = facts or {}
        self._events: list[AuditEvent] = []
        self._rights_changed = False
        self._revoked: dict[tuple[str, str], dict[str, object]] = {}
        self.reading = Reading(connection)

    def record(self, kind: Kind, actor: str | None = None, /, **fields: Field) -> None:
        """An audit record of this transaction, in the order of the calls; with the reason that its actor gave."""
        if actor is None and self._actor.reason is not None:
            fields["reason"] = self._actor.reason
        if actor is None:
            fields = {**self._facts, **fields}
        self._events.append(AuditEvent(kind, actor or self._actor.name, fields))

    @property
    def events(self) -> tuple[AuditEvent, ...]:
        """What was recorded so far."""
        return tuple(self._events)

    def notify(self, *notices: Notice) -> None:
        """To be told when this transaction has come true: see notices/."""
        for notice in notices:
            outbox.add(self._connection, notice)

    def take_rights(self) -> None:
        """Before anything is read that a change stands on. Store.change does it."""
        locks.take_rights(self._connection)

    def take_alone(self) -> None:
        """Nobody else writes until the transaction ends. Raises Problem when other nodes are connected."""
        moving.take_alone(self._connection, schema.TABLES)

    def add_installation(self, installation_id: str) -> None:
        row = {"id": 1, "installation_id": installation_id, "revision": 0, "created_at": self._now}
        self._write(sa.insert(schema.installation).values(row))

    def add_signing_key(self, key: SigningKeyRecord) -> None:
        self._write(sa.insert(schema.signing_key).values(row_of(key)))

    def set_signing_key_envelope(self, kid: str, envelope: bytes) -> None:
        table = schema.signing_key
        self._write(sa.update(table).where(table.c.kid == kid).values(envelope=envelope))

    def set_signing_key_state(self, kid: str, state: State) -> None:
        table = schema.signing_key
        self._write(sa.update(table).where(table.c.kid == kid).values(state=state.value))

    def revoke(self, revoked: Revocation, *, client_id: str | None, resource: str | None = None) -> None:
        """Put into the feed, in place of an older entry of the same subject; the ids say whom it concerns."""
        row: dict[str, object] = {
            "client_id": client_id,
            "resource": resource,
            "cutoff": revoked.cutoff,
            "forget_at": revoked.forget_at,
        }
        self._revoked[revoked.subject.value, revoked.id] = row
        self._rights_changed = True

    def add_operator(self, operator: Operator) -> None:
        self._write(operators.add(operator))

    def put_operator(self, operator: Operator) -> None:
        """Its role, its state and its key."""
        self._write(operators.put(operator))

    def add_proposal(self, proposal: Proposal) -> None:
        self._write(operators.add_proposal(proposal), changes_rights=False)

    def decide(self, proposal_id: str, state: Decision, *, by: str) -> bool:
        """Whether it still waited: of two decisions at once, one is made."""
        return bool(self._write(operators.decide(proposal_id, state, by=by, now=self._now), changes_rights=False))

    def add_announcement(self, one: Announcement) -> None:
        """It changes rights on a date: whoever keeps dates looks again when the revision is another."""
        self._write(announcements.add(one))

    def settle(self, announcement_id: str, state: Announced) -> bool:
        """Whether it still waited: of two at once, one settles it."""
        return bool(self._write(announcements.settle(announcement_id, state, now=self._now), changes_rights=False))

    def keep_key(self, operator_id: str, key: str, digest: str, *, expires_at: int) -> None:
        """That an act is performed under this Idempotency-Key. The caller has looked that it is free."""
        self._write(operators.forget_answers(now=self._now), changes_rights=False)
        self._write(operators.add_answer(operator_id, key, digest, expires_at=expires_at), changes_rights=False)

    def add_partner(self, partner: Partner) -> None:
        self._write(sa.insert(schema.partner).values(row_of(partner)))

    def put_resource(self, resource: Resource) -> None:
        """Add an API, or bring a registered one up to date. A scope that a client holds cannot go: the key refuses."""
        values = {
            "authorization_details_types": json.dumps(list(resource.authorization_details_types)),
            "jwks": resource.jwks,
        }
        table, scopes = schema.resource, schema.resource_scope
        same = sa.update(table).where(table.c.url == resource.url).values(values)
        if not self._write(same):
            self._write(sa.insert(table).values(values | {"url": resource.url, "added_at": resource.added_at}))
        here = scopes.c.resource == resource.url
        self._write(sa.delete(scopes).where(here, scopes.c.scope.not_in(sorted(resource.scope))))
        for scope, description in resource.scopes:
            text = {"description": description}
            if not self._write(sa.update(scopes).where(here, scopes.c.scope == scope).values(text)):
                self._write(sa.insert(scopes).values(text | {"resource": resource.url, "scope": scope}))

    def put_certificate(self, partner: Partner) -> None:
        """The certificate and the address of a partner, and how its fingerprint was confirmed."""
        table = schema.partner
        values = {
            "certificate": partner.certificate,
            "email": partner.email,
            "fingerprint": partner.fingerprint,
            "fingerprint_confirmed_at": partner.fingerprint_confirmed_at,
            "fingerprint_confirmed_how": partner.fingerprint_confirmed_how.value,
        }
        self._write(sa.update(table).where(table.c.id == partner.id).values(values))

    def set_partner_webhook(self, partner_id: str, url: str | None, key: bytes | None) -> None:
        """`key`: the envelope of the secret that signs."""
        table = schema.partner
        here = sa.update(table).where(table.c.id == partner_id).values(webhook=url, webhook_key=key)
        self._write(here, changes_rights=False)

    def add_client(self, client: Client) -> None:
        self._rights_changed = True
        clients.add(self._connection, client, now=self._now)

    def change_client(self, client: Client) -> None:
        """What it may do from now on, in place of what it could before. Its name, state and method stay."""
        self._rights_changed = True
        clients.change(self._connection, client, now=self._now)

    def narrow_client(self, client: Client) -> None:
        """A registered client with fewer rights than it had. None is added: a right that is not there stays away."""
        self._rights_changed = True
        clients.narrow(self._connection, client)

    def set_client_keys(self, client_id: str, *, jwks: str | None, jwks_uri: str | None) -> None:
        self._write(clients.set_keys(client_id, jwks=jwks, jwks_uri=jwks_uri))

    def set_client_method(self, client_id: str, method: Method) -> None:
        """How it proves itself from now on."""
        table = schema.client
        self._write(sa.update(table).where(table.c.id == client_id).values(auth_method=method.value))

    def set_client_networks(self, client_id: str, networks: Sequence[str]) -> None:
        """From where the client may come, in place of what was said before; none is anywhere."""
        self._rights_changed = True
        clients.set_networks(self._connection, client_id, networks)

    def set_partner_state(self, partner_id: str, state: State) -> None:
        table = schema.partner
        self._write(sa.update(table).where(table.c.id == partner_id).values(state=state.value))

    def delete_client(self, client_id: str) -> None:
        """The client and every row that belongs to it."""
        forgetting.forget(self._connection, schema.client, schema.client.c.id == client_id)
        self._rights_changed = True

    def delete_partner(self, partner_id: str) -> None:
        """The partner, its clients, and every row that belongs to them."""
        forgetting.forget(self._connection, schema.partner, schema.partner.c.id == partner_id)
        self._rights_changed = True

    def take_report(self, resource: str, report: Report) -> bool:
        """What an API told of its use; False when it was taken before."""
        return usage.take(self._connection, resource, report, now=self._now)

    def put_narrowing(self, client_id: str, narrowing: Narrowing | None) -> None:
        usage.put_narrowing(self._connection, client_id, narrowing)

    def set_client_state(self, client_id: str, state: State) -> None:
        table = schema.client
        self._write(sa.update(table).where(table.c.id == client_id).values(state=state.value))

    def add_allowance(self, allowance: Allowance) -> None:
        typed = {
            "scope": scopes.write(allowance.scope),
            "resources": json.dumps(list(allowance.resources)),
            "authorization_details": write_details(allowance.authorization_details),
        }
        self._write(sa.insert(schema.registration_allowance).values(row_of(allowance) | typed))

    def use_allowance(self, allowance_id: str) -> bool:
        """Whether there was a use left: of two at once for the last, one has it."""
        table = schema.registration_allowance
        left = (table.c.id == allowance_id) & (table.c.uses_left > 0) & (table.c.state == State.ACTIVE.value)
        return self._write(sa.update(table).where(left).values(uses_left=table.c.uses_left - 1)) == 1

    def set_allowance_state(self, allowance_id: str, state: State) -> None:
        table = schema.registration_allowance
        self._write(sa.update(table).where(table.c.id == allowance_id).values(state=state.value))

    def put_registration(self, registration: Registration) -> None:
        """Add it, or bring it up to date."""
        table = schema.client_registration
        values = {"described": json.dumps(dict(registration.described)), "ended_at": registration.ended_at}
        here = table.c.client_id == registration.client_id
        if not self._write(sa.update(table).where(here).values(values)):
            ids = {"client_id": registration.client_id, "allowance_id": registration.allowance_id}
            self._write(sa.insert(table).values(values | ids))

    def add_registration_token(self, token: RegistrationToken, *, keep: int) -> None:
        """`keep`: of how many generations a token is still known as one of ours, so that its use can be told."""
        table = schema.registration_token
        # Not a right of a client at its API: the caches of other workers stay.
        self._write(sa.insert(table).values(row_of(token)), changes_rights=False)
        old = table.c.generation <= token.generation - keep
        self._write(sa.delete(table).where(table.c.client_id == token.client_id, old), changes_rights=False)

    def use_registration_token(self, token_id: str) -> None:
        table = schema.registration_token
        self._write(sa.update(table).where(table.c.id == token_id).values(used_at=self._now), changes_rights=False)

    def add_credential(self, credential: Credential, message: SealedMessage | None = None) -> None:
        """`message`: what holds its secret; None for a credential that is a key."""
        row = row_of(credential)
        rights = {name: value for name, value in row.items() if name in _RIGHTS}
        observed = {name: value for name, value in row.items() if name in _OBSERVED}
        table = schema.credential
        last = sa.select(sa.func.coalesce(sa.func.max(table.c.generation), 0)).where(
            table.c.client_id == credential.client_id
        )
        generation = self._connection.execute(last).scalar_one() + 1
        self._write(sa.insert(table).values(rights | {"generation": generation}))
        self._write(sa.insert(schema.credential_observation).values(observed | {"credential_id": credential.id}))
        if message is not None:
            self._write(sa.insert(schema.sealed_message).values(row_of(message)))

    def set_credential_state(self, credential_id: str, state: State, *, overlap_ends_at: int | None = None) -> None:
        values: dict[str, str | int] = {"state": state.value}
        if overlap_ends_at is not None:
            values["overlap_ends_at"] = overlap_ends_at
        table = schema.credential
        self._write(sa.update(table).where(table.c.id == credential_id).values(values))

    def observe_first_use(self, grant: TokenIssued) -> bool:
        """Whether this use is the credential's first, which is a change that caches must see: then it is noted."""
        table = schema.credential_observation
        here = (table.c.credential_id == grant.credential_id) & table.c.first_used_at.is_(None)
        first = {"first_used_at": self._now, "first_used_from": grant.address}
        is_first = self._write(sa.update(table).where(here).values(first), changes_rights=False) > 0
        self._rights_changed = self._rights_changed or is_first
        return is_first

    def observe_uses(self, addresses: Mapping[str, str]) -> None:
        """Note the last use of each credential, from which address; in the order of their ids."""
        rows = [{"used": one, "at": self._now, "from": addresses[one]} for one in sorted(addresses)]
        if rows:
            _USED.execute(self._connection, rows)

    def observe_delivery(self, credential_id: str, *, address: str) -> None:
        """Note that its message was fetched; the last time before its first use is what counts."""
        self._observe_unused(credential_id, {"delivered_at": self._now, "delivered_from": address})

    def observe_acknowledgement(self, credential_id: str, *, address: str) -> bool:
        """Note that the partner signed for it; whether it was the first time."""
        table = schema.credential_observation
        unsigned = (table.c.credential_id == credential_id) & table.c.acknowledged_at.is_(None)
        seen = {"acknowledged_at": self._now, "acknowledged_from": address}
        return self._write(sa.update(table).where(unsigned).values(seen), changes_rights=False) > 0

    def _observe_unused(self, credential_id: str, seen: Mapping[str, str | int]) -> None:
        table = schema.credential_observation
        unused = (table.c.credential_id == credential_id) & table.c.first_used_at.is_(None)
        self._write(sa.update(table).where(unused).values(seen), changes_rights=False)

    def keep_message(self, credential_id: str, armored: bytes, *, until: int) -> None:
        """A ciphertext that may be asked for again; those whose time is over go."""
        table = schema.kept_message
        self._write(sa.delete(table).where(table.c.keep_until <= self._now), changes_rights=False)
        row = {"credential_id": credential_id, "armored": armored.decode("ascii"), "keep_until": until}
        self._write(sa.insert(table).values(row), changes_rights=False)

    def add_link(self, link: HandoffLink) -> None:
        """A link to a kept message; those whose time is over go."""
        table = schema.handoff_link
        self._write(sa.delete(table).where(table.c.expires_at <= self._now), changes_rights=False)
        self._write(sa.insert(table).values(row_of(link)), changes_rights=False)

    def use_link(self, token_hash: str) -> bool:
        """One fetch less; False when none is left, or its time is over. Of two that want the last, one has it."""
        table = schema.handoff_link
        alive = (table.c.token_hash == token_hash) & (table.c.fetches_left > 0) & (table.c.expires_at > self._now)
        less = sa.update(table).where(alive).values(fetches_left=table.c.fetches_left - 1)
        return self._write(less, changes_rights=False) > 0

    def use_once(self, presented: Sequence[tuple[str, str, int]]) -> list[bool]:
        """See single_uses.use."""
        return single_uses.use(self._connection, presented)

    def forget_used(self) -> None:
        """See single_uses.forget."""
        single_uses.forget(self._connection, self._now)

    def finish(self) -> None:
        """Bump the revision and append the records. A change of rights without a record is a bug, and rolls back."""
        if self._rights_changed:
            assert self._events, "a change of rights without an audit record"
            table = schema.installation
            self._connection.execute(sa.update(table).values(revision=table.c.revision + 1))
        if self._revoked:
            self._write_revocations()
        self._journal.append(self._connection, self._events, self._now)

    def _write_revocations(self) -> None:
        """Under the revision that this very transaction commits: whoever read up to it has read these."""
        table, sequence = schema.revocation, self.reading.revision()
        self._connection.execute(sa.delete(table).where(table.c.forget_at <= self._now))
        for (subject, subject_id), values in self._revoked.items():
            here = (table.c.subject == subject) & (table.c.subject_id == subject_id)
            self._connection.execute(sa.delete(table).where(here))
            row = {"subject": subject, "subject_id": subject_id, "sequence": sequence}
            self._connection.execute(sa.insert(table).values(values | row))

    def _write(self, statement: sa.Update | sa.Insert | sa.Delete, *, changes_rights: bool = True) -> int:
        self._rights_changed = self._rights_changed or changes_rights
        return self._connection.execute(statement).rowcount
