"""Who asks about tokens: a client, with its secret, or a resource, with the key that it registered."""

from dataclasses import dataclass

from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.client_authentication import Method, PresentedCredential
from keyfob.server.authenticate import AuthenticatedResource, authenticate, authenticate_resource
from keyfob.server.state import ServerState


@dataclass(frozen=True, slots=True)
class Caller:
    """Exactly one of the two."""

    client_id: str | None
    resource: str | None

    def is_concerned(self, token: AccessToken) -> bool:
        """RFC 7662 §4: a client asks about its own tokens, a resource about those that are for it."""
        return self.client_id == token.client_id or self.resource == token.audience


def authenticate_caller(state: ServerState, presented: PresentedCredential, *, address: str, now: int) -> Caller:
    """Raises InvalidClient."""
    if presented.method is Method.PRIVATE_KEY_JWT:
        return Caller(None, authenticated_resource(state, presented, now=now).resource.url)
    view = state.find_client(presented.client_id, address=address)
    client = authenticate(view, presented, state.peppers, address=address, now=now).client
    return Caller(client.id, None)


def authenticated_resource(state: ServerState, presented: PresentedCredential, *, now: int) -> AuthenticatedResource:
    """Raises InvalidClient."""
    settings = state.settings
    return authenticate_resource(
        state.find_resource(presented.client_id),
        presented,
        audiences=frozenset({settings.issuer, settings.token_endpoint}),
        now=now,
    )
