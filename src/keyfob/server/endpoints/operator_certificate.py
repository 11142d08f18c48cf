"""`/.well-known/keyfob/operator.asc`: the certificate that signs sealed messages, to be compared by its fingerprint."""

from collections.abc import Awaitable, Callable

from keyfob.oauth.wire import Response
from keyfob.server.endpoints.documents import serve_document
from keyfob.server.endpoints.request import Request
from keyfob.server.state import ServerState

MAX_AGE = 3600


def operator_certificate(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        body = state.operator_certificate.armored
        return serve_document(request, body, media_type="application/pgp-keys", max_age=MAX_AGE)

    return answer
