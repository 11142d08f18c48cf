"""Step 6 of a token request: a presented credential becomes an authenticated client or resource, or a refusal."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from keyfob import client_secret
from keyfob.jose.assertions import verify_assertion
from keyfob.jose.client_keys import ClientKeys
from keyfob.jose.keys import MalformedKeySet
from keyfob.oauth import client_assertion
from keyfob.oauth.client_authentication import PresentedCredential
from keyfob.oauth.errors import InvalidClient
from keyfob.server.lifecycle import states
from keyfob.server.secret_hash import Pepper, matches
from keyfob.server.storage.records import Client, ClientView, Credential, Resource


class Reason(StrEnum):
    """Why a client was not authenticated: for the audit alone. On the wire they are all the same bytes."""

    UNKNOWN_CLIENT = "unknown client"
    MALFORMED_SECRET = "the secret is none of ours: mistyped, cut or encoded twice"  # noqa: S105  # a reason
    WRONG_SECRET = "wrong secret"  # noqa: S105  # a reason
    NOT_YET_VALID = "the credential is not valid yet"
    NOT_ACTIVE = "the credential, its client or its partner is not active"


@dataclass(frozen=True, slots=True)
class AuthenticatedClient:
    """Only `authenticate` makes one."""

    client: Client
    credential: Credential


def authenticate(
    view: ClientView | None, presented: PresentedCredential, peppers: Sequence[Pepper], *, now: int
) -> AuthenticatedClient:
    """The client that the secret proves. Raises InvalidClient.

    The id inside the secret gives one look-up, and there is one MAC whether client and credential exist or not, so
    that neither the answer nor its time tells a stranger which ids are ours.
    """
    named = client_secret.credential_id(presented.secret)
    credential = view.credential(named) if view is not None and named is not None else None
    proven = matches(presented.secret, credential.secret_hash if credential is not None else None, peppers)
    if view is None:
        raise InvalidClient(detail=Reason.UNKNOWN_CLIENT)
    if named is None:
        raise InvalidClient(detail=Reason.MALFORMED_SECRET)
    if credential is None or not proven:
        raise InvalidClient(detail=Reason.WRONG_SECRET)
    if not states.is_usable(credential, view.client, view.partner_state, now):
        raise InvalidClient(detail=_why_unusable(view, credential, now))
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
        raise InvalidClient(detail="no resource of that URL is registered")
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


def _why_unusable(view: ClientView, credential: Credential, now: int) -> str:
    if now < credential.not_before:
        return Reason.NOT_YET_VALID
    found = {
        "partner": view.partner_state,
        "client": view.client.state,
        "credential": states.effective(credential, now),
    }
    return f"{Reason.NOT_ACTIVE}: " + ", ".join(f"{what} {state}" for what, state in found.items())
