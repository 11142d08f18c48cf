"""`/oauth2/jwks` (RFC 7517 §5): the public keys of all tokens that are still alive, and of those to come next."""

from collections.abc import Awaitable, Callable

from keyfob.jose.keys import write_jwks
from keyfob.oauth.wire import Response
from keyfob.server.endpoints.documents import serve_document
from keyfob.server.endpoints.request import Request
from keyfob.server.state import ServerState

MAX_AGE = 300


def jwks(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        body = write_jwks(state.published_jwks(state.clock()))
        return serve_document(request, body, media_type="application/jwk-set+json", max_age=MAX_AGE)

    return answer
