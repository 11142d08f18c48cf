"""Step 6 of a token request: a presented credential becomes an authenticated client or resource, or a refusal."""

from collections.abc import Sequence
from dataclasses import dataclass

from keyfob import client_secret
from keyfob.client_certificates import Authorities
from keyfob.jose.assertions import verify_assertion
from keyfob.jose.client_keys import ClientKeys
from keyfob.jose.keys import MalformedKeySet
from keyfob.oauth import client_assertion
from keyfob.oauth.client_assertion import ClientAssertion
from keyfob.oauth.client_authentication import PresentedCredential
from keyfob.oauth.errors import InvalidClient
from keyfob.server import client_trust, networks, profiles
from keyfob.server.decoys import DECOYS
from keyfob.server.lifecycle import states
from keyfob.server.profiles import RULES
from keyfob.server.refusals.causes import Cause
from keyfob.server.secret_hash import Pepper, matches
from keyfob.server.settings import Settings
from keyfob.server.storage.records import Client, ClientView, Credential, Profile, Resource, State


@dataclass(frozen=True, slots=True)
class AuthenticatedClient:
    """Only `authenticate` makes one."""

    client: Client
    credential: Credential
    assertion: ClientAssertion | None = None


def authenticate(
    view: ClientView | None, presented: PresentedCredential, peppers: Sequence[Pepper], *, address: str, now: int
) -> AuthenticatedClient:
    """The client that the secret proves, coming from where it may. Raises InvalidClient.

    The id inside the secret gives one look-up, and there is one MAC whether client and credential exist or not, so
    that neither the answer nor its time tells a stranger which ids are ours.
    """
    named = client_secret.credential_id(presented.secret)
    credential = view.credential(named) if view is not None and named is not None else None
    is_allowed = networks.admits(() if view is None else view.client.networks, address)
    proven = matches(presented.secret, credential.secret_hash if credential is not None else None, peppers)
    if view is None:
        raise InvalidClient(detail=Cause.UNKNOWN_CLIENT)
    if named is None:
        raise InvalidClient(detail=Cause.MALFORMED_SECRET)
    if credential is None or not proven:
        raise InvalidClient(detail=Cause.WRONG_SECRET)
    if not states.is_usable(credential, view.client, view.partner_state, now):
        raise InvalidClient(detail=_why_unusable(view, credential, now))
    if not is_allowed:
        raise InvalidClient(detail=Cause.ADDRESS_NOT_ALLOWED)
    return AuthenticatedClient(view.client, credential)


def authenticate_by_key(
    view: ClientView | None,
    presented: PresentedCredential,
    keys: ClientKeys | None,
    settings: Settings,
    *,
    address: str,
    now: int,
) -> AuthenticatedClient:
    """The client that signed the assertion with one of its `keys`. Raises InvalidClient.

    `keys` None: none is registered, or none can be had; one signature is checked all the same. That the assertion was
    not used before is for whoever grants something to see to: it is returned with the client.
    """
    is_allowed = networks.admits(() if view is None else view.client.networks, address)
    profile = Profile.DEFAULT if view is None else view.client.profile
    try:
        assertion = verify_assertion(
            presented.secret,
            keys or DECOYS,
            client_id=presented.client_id,
            audiences=profiles.audiences(profile, settings),
            now=now,
            max_lifetime=RULES[profile].assertion_lifetime,
            algorithms=RULES[profile].assertion_algorithms,
        )
    except InvalidClient as refused:
        if view is None:
            # What it does not know of, it does not know of: the same words as for a secret.
            raise InvalidClient(detail=Cause.UNKNOWN_CLIENT) from refused
        raise
    if view is None or keys is None:
        raise InvalidClient(detail=Cause.ASSERTION_REFUSED)
    credential = view.credentials[-1]
    if not states.is_usable(credential, view.client, view.partner_state, now):
        raise InvalidClient(detail=_why_unusable(view, credential, now))
    if not is_allowed:
        raise InvalidClient(detail=Cause.ADDRESS_NOT_ALLOWED)
    # RFC 7523 §3 item 7: without an id it could not be told from a copy of itself.
    if assertion.jti is None:
        raise InvalidClient(detail="the assertion has no jti")
    return AuthenticatedClient(view.client, credential, assertion)


def authenticate_by_certificate(
    view: ClientView | None,
    presented: PresentedCredential,
    registered: frozenset[str],
    authorities: Authorities,
    *,
    address: str,
    now: int,
) -> AuthenticatedClient:
    """The client whose certificate was proven in the TLS handshake (RFC 8705 §2). Raises InvalidClient.

    `registered`: the thumbprints of the certificates that it registered itself.
    """
    is_allowed = networks.admits(() if view is None else view.client.networks, address)
    client = None if view is None else view.client
    if presented.certificate is None:
        raise InvalidClient(detail=Cause.NO_CREDENTIALS)
    refusal = client_trust.find_refusal(client, presented.certificate, registered, authorities, now=now)
    if view is None or refusal is not None:
        raise InvalidClient(detail=refusal or Cause.UNKNOWN_CLIENT)
    credential = view.credentials[-1]
    if not states.is_usable(credential, view.client, view.partner_state, now):
        raise InvalidClient(detail=_why_unusable(view, credential, now))
    if not is_allowed:
        raise InvalidClient(detail=Cause.ADDRESS_NOT_ALLOWED)
    return AuthenticatedClient(view.client, credential)


@dataclass(frozen=True, slots=True)
class AuthenticatedResource:
    """Only `authenticate_resource` makes one."""

    resource: Resource


def authenticate_resource(
    resource: Resource | None, presented: PresentedCredential, *, audiences: frozenset[str], now: int
) -> AuthenticatedResource:
    """The API that signed the assertion with the key it registered (RFC 7523 §3). Raises InvalidClient.

    An assertion may come again within its minute: a resource only reads, and asks every other second.
    """
    if resource is None:
        raise InvalidClient(detail=Cause.UNKNOWN_RESOURCE)
    try:
        keys = ClientKeys.parse(resource.jwks.encode())
    except MalformedKeySet as malformed:
        raise InvalidClient(detail=f"the resource registered no key that can be used: {malformed}") from malformed
    verify_assertion(
        presented.secret,
        keys,
        client_id=resource.url,
        audiences=audiences,
        now=now,
        max_lifetime=client_assertion.MAX_LIFETIME,
    )
    return AuthenticatedResource(resource)


def _why_unusable(view: ClientView, credential: Credential, now: int) -> Cause:
    if view.partner_state is not State.ACTIVE:
        return Cause.PARTNER_NOT_ACTIVE
    if view.client.state is not State.ACTIVE:
        return Cause.CLIENT_REVOKED if view.client.state is State.REVOKED else Cause.CLIENT_SUSPENDED
    if now < credential.not_before:
        return Cause.NOT_YET_VALID
    state = states.effective(credential, now)
    if state is State.EXPIRED:
        return Cause.CREDENTIAL_EXPIRED if now >= credential.expires_at else Cause.CREDENTIAL_UNOPENED
    return Cause.CREDENTIAL_REVOKED if state is State.REVOKED else Cause.CREDENTIAL_RETIRED
