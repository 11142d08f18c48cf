"""A client that registers itself (RFC 7591) and looks after itself (RFC 7592): each act is one transaction.

What is asked for becomes the same `Application` that the command line makes, so that no rule of a client stands twice.
Everything here is blocking: for a thread.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TypeVar

from keyfob.ambient import Entropy
from keyfob.oauth import authorization_details, client_configuration
from keyfob.oauth import scope as scopes
from keyfob.oauth.client_authentication import METHODS_BY_CERTIFICATE, Method
from keyfob.oauth.client_configuration import MoreThanHeld
from keyfob.oauth.client_registration import ClientMetadata, RegisteredClient
from keyfob.oauth.errors import InvalidAuthorizationDetails, InvalidClientMetadata, InvalidToken
from keyfob.oauth.registration_invitation import Renewal
from keyfob.problem import Misuse, Problem
from keyfob.secret import Secret
from keyfob.server.audit.events import Acting, Kind
from keyfob.server.installation import Installation
from keyfob.server.lifecycle import allowances, clients, credentials, handoff, registration_tokens, revocations
from keyfob.server.lifecycle.clients import Application
from keyfob.server.lifecycle.handoff import Outlet
from keyfob.server.lifecycle.names import check_name
from keyfob.server.lifecycle.registration_tokens import Replayed
from keyfob.server.lifecycle.states import Event
from keyfob.server.refusals.causes import Cause
from keyfob.server.storage.change import Change
from keyfob.server.storage.reading import Reading, write_details
from keyfob.server.storage.records import Allowance, Client, Registration, RegistrationToken, ResourceGrant, State
from keyfob.server.storage.store import SERVER

_Answer = TypeVar("_Answer")


@dataclass(frozen=True, slots=True)
class Held:
    """Who a registration token speaks for."""

    client: Client
    registration: Registration
    token: RegistrationToken
    newest: RegistrationToken

    @property
    def metadata(self) -> ClientMetadata:
        return _metadata(self.client, self.registration)


@dataclass(frozen=True, slots=True)
class Registrar:
    """`installation` whose clients they are. Raises, besides what is said, Problem when the database has no turn."""

    installation: Installation
    entropy: Entropy

    def admit(self, token: Secret | None, *, now: int) -> Allowance:
        """Raises InvalidToken. Only reads: a stranger's token never waits for a turn to write."""
        with self.installation.store.reading() as reading:
            return allowances.admit(reading, token, self.installation.peppers, now=now)[0]

    def register(self, token: Secret, asked: ClientMetadata, *, request_id: str, now: int) -> RegisteredClient:
        """The client that `asked` describes, within the allowance. Raises InvalidToken, InvalidClientMetadata."""
        pepper, partner_id = self.installation.peppers[0], self.admit(token, now=now).partner_id
        with self.installation.store.change(now=now, actor=f"partner:{partner_id}") as change:
            # Again, where nobody else writes: another may have used it up meanwhile.
            allowance, owner = allowances.admit(change.reading, token, self.installation.peppers, now=now)
            if not change.use_allowance(allowance.id):
                raise InvalidToken(detail=Cause.REGISTRATION_USED_UP)
            try:
                application = _application(change.reading, allowance, owner.name, asked)
                clients.check_asking(self.installation.settings, application)
                client = clients.draft(change.reading, application, now=now, entropy=self.entropy)
                clients.add(change, client)
            except Problem as refused:
                raise InvalidClientMetadata(refused.message) from refused
            change.add_credential(credentials.of_keys(client, now=now, entropy=self.entropy))
            registration = Registration(client.id, allowance.id, asked.described)
            change.put_registration(registration)
            record, secret = registration_tokens.first(client.id, pepper, now=now, entropy=self.entropy)
            change.add_registration_token(record, keep=registration_tokens.KEPT)
            change.record(
                Kind.CLIENT_REGISTERED,
                client_id=client.id,
                allowance_id=allowance.id,
                uses_left=allowance.uses_left - 1,
                software_id=_text(asked, "software_id"),
                software_version=_text(asked, "software_version"),
                request_id=request_id,
            )
        return self._answer(client, registration, secret)

    def look(self, client_id: str, token: Secret | None, *, now: int) -> Held:
        """Who the token speaks for. Raises InvalidToken, after the end of the chain where it is one that is out."""
        try:
            with self.installation.store.reading() as reading:
                return self._look(reading, client_id, token, now)
        except Replayed:
            self._end(client_id, now)
            raise

    def read(self, client_id: str, token: Secret, *, request_id: str, now: int) -> RegisteredClient:
        """RFC 7592 §2.1: what is registered, and the next token."""

        def act(change: Change, held: Held) -> RegisteredClient:
            change.record(Kind.REGISTRATION_READ, client_id=client_id, request_id=request_id)
            return self._answer(held.client, held.registration, self._next(change, held, now))

        return self._act(client_id, token, act, now=now)

    def update(
        self, client_id: str, token: Secret, asked: ClientMetadata, *, request_id: str, now: int
    ) -> RegisteredClient:
        """RFC 7592 §2.2: less than what was registered, or the same. Raises InvalidClientMetadata besides."""

        def act(change: Change, held: Held) -> RegisteredClient:
            wanted = client_configuration.narrow(asked, held.metadata)
            client = _narrowed(change.reading, held.client, wanted)
            registration = replace(held.registration, described=wanted.described)
            change.narrow_client(client)
            change.put_registration(registration)
            if (client.grants, client.authorization_details) != (
                held.client.grants,
                held.client.authorization_details,
            ):
                # What is given up is given up at once: tokens from before may hold it.
                revocations.allow_again(change, client_id, now=now)
            change.record(
                Kind.REGISTRATION_CHANGED,
                client_id=client_id,
                name=client.name,
                grants=_rights(client),
                authorization_details=write_details(client.authorization_details),
                token_lifetime=client.token_lifetime,
                dpop_bound=int(client.dpop_bound),
                certificate_bound=int(client.certificate_bound),
                request_id=request_id,
            )
            return self._answer(client, registration, self._next(change, held, now))

        return self._act(client_id, token, act, now=now)

    def delete(self, client_id: str, token: Secret, *, now: int) -> None:
        """RFC 7592 §2.3: the client is revoked, and with it all of its tokens, of both kinds."""

        def act(change: Change, held: Held) -> None:
            clients.set_state(change, client_id, Event.REVOKE, now=now)
            change.put_registration(replace(held.registration, ended_at=now))

        self._act(client_id, token, act, now=now)

    def renew(self, client_id: str, *, outlet: Outlet, now: int, actor: Acting) -> tuple[str, bytes]:
        """By the operator: a new token in place of all others, sealed to the partner: the message, and what its file is
        called. Raises Misuse or Problem.
        """
        with self.installation.store.reading() as reading:
            client = clients.get(reading, client_id).client
            owner = reading.partner_of(client)
            _registration(reading, client)
            newest = reading.newest_registration_token(client_id)
        pepper = self.installation.peppers[0]
        record, secret = registration_tokens.after(newest, None, pepper, now=now, entropy=self.entropy)
        content = Renewal(secret, self._uri(client_id), client_id, record.expires_at)
        sealed = allowances.seal_to(self.installation, owner, content, now=now, entropy=self.entropy)
        name = f"{client_id}.registration.asc"
        with (
            handoff.in_file(outlet(name), sealed.armored, counts=lambda: self._is_known(record.id)),
            self.installation.store.change(now=now, actor=actor) as change,
        ):
            registration = _registration(change.reading, client)
            if change.reading.newest_registration_token(client_id).id != newest.id:
                raise Problem(
                    "client-changed", "the client was changed meanwhile: nothing was created", hint="try again"
                )
            change.put_registration(replace(registration, ended_at=None))
            # None of the former is known any more: whoever has one can neither use it nor end this chain.
            change.add_registration_token(record, keep=1)
            change.record(Kind.REGISTRATION_RENEWED, client_id=client_id, **sealed.evidence)
        return name, sealed.armored

    def _act(self, client_id: str, token: Secret, act: Callable[[Change, Held], _Answer], *, now: int) -> _Answer:
        try:
            with self.installation.store.change(now=now, actor=f"client:{client_id}") as change:
                return act(change, self._look(change.reading, client_id, token, now))
        except Replayed:
            self._end(client_id, now)
            raise

    def _look(self, reading: Reading, client_id: str, presented: Secret | None, now: int) -> Held:
        if presented is None:
            raise InvalidToken(detail=Cause.REGISTRATION_TOKEN_MISSING)
        token = registration_tokens.find(reading, presented, self.installation.peppers)
        # RFC 7592 §2: whether the client of this URL is there is told to nobody but its own token's holder.
        if token.client_id != client_id:
            raise InvalidToken(detail=Cause.REGISTRATION_OF_ANOTHER)
        view, registration = reading.find_client(client_id), reading.find_registration(client_id)
        assert view is not None
        assert registration is not None
        for state, cause in (
            (view.client.state is State.REVOKED, Cause.REGISTRATION_ENDED),
            (view.client.state is not State.ACTIVE, Cause.CLIENT_SUSPENDED),
            (view.partner_state is not State.ACTIVE, Cause.PARTNER_NOT_ACTIVE),
        ):
            if state:
                raise InvalidToken(detail=cause)
        newest = reading.newest_registration_token(client_id)
        registration_tokens.check(token, newest, registration, now=now)
        return Held(view.client, registration, token, newest)

    def _next(self, change: Change, held: Held, now: int) -> Secret:
        pepper = self.installation.peppers[0]
        record, secret = registration_tokens.after(held.newest, held.token, pepper, now=now, entropy=self.entropy)
        change.use_registration_token(held.token.id)
        change.add_registration_token(record, keep=registration_tokens.KEPT)
        return secret

    def _end(self, client_id: str, now: int) -> None:
        """By itself, since what found it out is rolled back."""
        with self.installation.store.change(now=now, actor=SERVER) as change:
            registration = change.reading.find_registration(client_id)
            if registration is not None and registration.ended_at is None:
                change.put_registration(replace(registration, ended_at=now))
                change.record(Kind.REGISTRATION_ENDED, client_id=client_id)

    def _answer(self, client: Client, registration: Registration, secret: Secret) -> RegisteredClient:
        return RegisteredClient(
            client_id=client.id,
            issued_at=client.created_at,
            metadata=_metadata(client, registration),
            registration_client_uri=self._uri(client.id),
            registration_access_token=secret,
        )

    def _uri(self, client_id: str) -> str:
        return f"{self.installation.settings.registration_endpoint}/{client_id}"

    def _is_known(self, token_id: str) -> bool:
        with self.installation.store.reading() as reading:
            return reading.find_registration_token(token_id) is not None


def _application(reading: Reading, allowance: Allowance, partner: str, asked: ClientMetadata) -> Application:
    """RFC 7591 §2: what is not said is left to us: it is what was allowed. Raises InvalidClientMetadata."""
    resources = allowance.resources if asked.resource is None else asked.resource
    if not set(resources) <= set(allowance.resources):
        raise MoreThanHeld("resource is more than what was allowed")
    if asked.scope is not None and not asked.scope <= allowance.scope:
        raise MoreThanHeld("scope is more than what was allowed")
    offered = frozenset(scope for one in reading.resources() if one.url in resources for scope in one.scope)
    if asked.token_lifetime is not None and asked.token_lifetime > allowance.token_lifetime:
        raise MoreThanHeld(f"keyfob_token_lifetime is at most {allowance.token_lifetime}")
    try:
        details = authorization_details.narrow(asked.authorization_details, allowance.authorization_details)
    except InvalidAuthorizationDetails as beyond:
        raise MoreThanHeld(beyond.description) from beyond
    # RFC 7591 §2, §3.2.1: without a word the method would need a secret; it is replaced, and the answer says so.
    method = asked.auth_method or Method.PRIVATE_KEY_JWT
    return Application(
        partner=partner,
        name=asked.name,
        scope=allowance.scope & offered if asked.scope is None else asked.scope,
        resources=resources,
        default_scope=None,
        details=details,
        token_lifetime=asked.token_lifetime or allowance.token_lifetime,
        auth_method=method,
        jwks=None if asked.jwks is None else clients.read_jwks(asked.jwks.encode(), where="jwks"),
        jwks_uri=None if asked.jwks_uri is None else clients.check_jwks_uri(asked.jwks_uri),
        dpop_bound=allowance.dpop_bound or bool(asked.dpop_bound),
        profile=allowance.profile,
        tls_subject=asked.tls_subject,
        certificate_bound=bool(asked.certificate_bound),
    )


def _metadata(client: Client, registration: Registration) -> ClientMetadata:
    # RFC 8705 §3: whoever authenticates by a certificate has tokens bound to it, or to a key of DPoP instead.
    is_bound_by_method = client.auth_method in METHODS_BY_CERTIFICATE and not client.dpop_bound
    return ClientMetadata(
        auth_method=client.auth_method,
        name=client.name,
        scope=clients.full_scope(client),
        resource=tuple(grant.resource for grant in client.grants),
        authorization_details=client.authorization_details,
        token_lifetime=client.token_lifetime,
        jwks=client.jwks,
        jwks_uri=client.jwks_uri,
        tls_subject=client.tls_subject,
        dpop_bound=client.dpop_bound,
        certificate_bound=client.certificate_bound or is_bound_by_method,
        described=registration.described,
    )


def _narrowed(reading: Reading, client: Client, wanted: ClientMetadata) -> Client:
    """Raises InvalidClientMetadata."""
    resources, scope = wanted.resource or (), wanted.scope or frozenset()
    kept = tuple(
        ResourceGrant(grant.resource, grant.scope & scope, (grant.default_scope or frozenset()) & scope or None)
        for grant in client.grants
        if grant.resource in resources
    )
    if not all(grant.scope for grant in kept):
        raise InvalidClientMetadata("none of the scopes belongs to one of the resources: leave that one out, too")
    narrowed = replace(
        client,
        name=wanted.name or client.name,
        grants=kept,
        authorization_details=wanted.authorization_details or (),
        token_lifetime=wanted.token_lifetime or client.token_lifetime,
        dpop_bound=bool(wanted.dpop_bound),
        certificate_bound=bool(wanted.certificate_bound),
    )
    try:
        check_name(narrowed.name, of="client")
        clients.check_free(reading, narrowed)
    except Misuse as refused:
        raise InvalidClientMetadata(refused.message) from refused
    return narrowed


def _rights(client: Client) -> list[str]:
    return [f"{grant.resource} {scopes.write(grant.scope)}" for grant in client.grants]


def _registration(reading: Reading, client: Client) -> Registration:
    found = reading.find_registration(client.id)
    if found is None:
        raise Misuse(
            "not-registered", f"{client.id} was made by the operator", hint="change it with: keyfob-server client"
        )
    if client.state is State.REVOKED:
        raise Problem("client-revoked", f"{client.id} is revoked, for good", hint="allow a new registration")
    return found


def _text(metadata: ClientMetadata, name: str) -> str | None:
    value = metadata.described.get(name)
    return value if isinstance(value, str) else None
