"""Who calls: a client, by its secret or its key, or a resource, by the key that it registered."""

from dataclasses import dataclass

from keyfob.jose.assertions import UnknownAssertionKey
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.client_authentication import Method, PresentedCredential
from keyfob.oauth.errors import InvalidClient
from keyfob.server import client_trust, profiles
from keyfob.server.authenticate import (
    AuthenticatedClient,
    AuthenticatedResource,
    authenticate,
    authenticate_by_certificate,
    authenticate_by_key,
    authenticate_resource,
)
from keyfob.server.refusals.causes import Cause
from keyfob.server.state import ServerState
from keyfob.server.storage.records import ClientView, Profile


@dataclass(frozen=True, slots=True)
class Caller:
    """Exactly one of the two."""

    client_id: str | None
    resource: str | None

    @property
    def name(self) -> str:
        return self.client_id or self.resource or ""

    def is_concerned(self, token: AccessToken) -> bool:
        """RFC 7662 §4: a client asks about its own tokens, a resource about those that are for it."""
        return self.client_id == token.client_id or self.resource == token.audience


async def authenticated_client(
    state: ServerState, presented: PresentedCredential, *, address: str, now: int
) -> AuthenticatedClient:
    """Raises InvalidClient, or TooManyRequests before the costly check of a signature."""
    view = state.find_client(presented.client_id, address=address)
    if presented.method is Method.TLS_CLIENT_AUTH:
        return await _by_certificate(state, view, presented, address=address, now=now)
    if presented.method is not Method.PRIVATE_KEY_JWT:
        return authenticate(view, presented, state.peppers, address=address, now=now)
    state.throttle.spare(address=address, now=now)
    # RFC 7591 §2: who is registered for a certificate does not sign with its key.
    if view is not None and view.client.auth_method is not Method.PRIVATE_KEY_JWT:
        return authenticate_by_key(view, presented, None, state.settings, address=address, now=now)
    keys = await state.keys_of(view, now)
    try:
        return authenticate_by_key(view, presented, keys, state.settings, address=address, now=now)
    except UnknownAssertionKey:
        newer = await state.newer_keys_of(view, now)
        if newer is None:
            raise
    return authenticate_by_key(view, presented, newer, state.settings, address=address, now=now)


async def _by_certificate(
    state: ServerState, view: ClientView | None, presented: PresentedCredential, *, address: str, now: int
) -> AuthenticatedClient:
    state.throttle.spare(address=address, now=now)
    is_self_signed = view is not None and view.client.auth_method is Method.SELF_SIGNED_TLS_CLIENT_AUTH
    registered = client_trust.registered(await state.keys_of(view, now) if is_self_signed else None)
    if is_self_signed and presented.secret.reveal() not in registered:  # its thumbprint
        registered |= client_trust.registered(await state.newer_keys_of(view, now))
    authorities = state.trust.authorities
    return authenticate_by_certificate(view, presented, registered, authorities, address=address, now=now)


async def authenticated_caller(state: ServerState, presented: PresentedCredential, *, address: str, now: int) -> Caller:
    """Raises InvalidClient, or TooManyRequests."""
    if presented.method is Method.PRIVATE_KEY_JWT and state.find_resource(presented.client_id) is not None:
        return Caller(None, authenticated_resource(state, presented, now=now).resource.url)
    found = await authenticated_client(state, presented, address=address, now=now)
    return Caller(found.client.id, None)


def authenticated_resource(state: ServerState, presented: PresentedCredential, *, now: int) -> AuthenticatedResource:
    """A resource has a key and no secret. Raises InvalidClient."""
    if presented.method is not Method.PRIVATE_KEY_JWT:
        raise InvalidClient(detail=Cause.NOT_A_RESOURCE)
    resource = state.find_resource(presented.client_id)
    audiences = profiles.audiences(Profile.DEFAULT, state.settings)
    return authenticate_resource(resource, presented, audiences=audiences, now=now)
