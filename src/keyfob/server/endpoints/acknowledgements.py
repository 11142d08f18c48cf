"""`/partner/v1/acknowledgements`: a partner says that it has opened a message. Its signature is all that proves it."""

from collections.abc import Awaitable, Callable

from keyfob.oauth.wire import Response
from keyfob.server.endpoints import signed_text
from keyfob.server.endpoints.request import Request
from keyfob.server.state import ServerState
from keyfob.serving import json_response

_DESCRIPTION = (
    "it must be signed in clear by the certificate that the message was sealed to, be of now, and name that message"
)


def acknowledgements(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        def take() -> Response:
            client_id = state.self_service.acknowledge(request.body, address=request.address)
            return json_response(200, {"client_id": client_id, "acknowledged": True})

        return await signed_text.answer(state, request, take, what="acknowledgement", description=_DESCRIPTION)

    return answer
