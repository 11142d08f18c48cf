"""`/oauth2/revocations`: the signed revocation feed, for a resource that authenticates with the key it registered."""

from collections.abc import Awaitable, Callable

from keyfob.jose.feeds import sign_feed
from keyfob.oauth import client_authentication, revocation_feed
from keyfob.oauth.client_authentication import PresentedCredential
from keyfob.oauth.errors import OAuthError
from keyfob.oauth.wire import Response
from keyfob.problem import Problem
from keyfob.server.endpoints.caller import authenticated_resource
from keyfob.server.endpoints.refusal import refuse, unavailable
from keyfob.server.endpoints.request import Request
from keyfob.server.state import ServerState
from keyfob.server.storage.records import Purpose

_HEADERS = (
    (b"content-type", revocation_feed.MEDIA_TYPE.encode()),
    (b"cache-control", b"no-store"),
    (b"pragma", b"no-cache"),
)


def revocations(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        now = state.clock()
        presented: PresentedCredential | None = None
        try:
            parameters = request.form()
            presented = client_authentication.read(request.headers, parameters)
            resource = authenticated_resource(state, presented, now=now).resource
            since = revocation_feed.read_request(parameters)
        except OAuthError as reason:
            return refuse(state, request, presented, reason, now=now)
        try:
            key = state.signing_key(now, Purpose.REVOCATIONS)
        except Problem:
            return unavailable(request)
        feed = state.feed(resource.url, since=since, now=now)
        return Response(200, _HEADERS, sign_feed(feed, key, issuer=state.settings.issuer, audience=resource.url))

    return answer
