"""`/partner/v1/changes`: a partner asks for other keys, or that none come. Its signature is all that proves it."""

from collections.abc import Awaitable, Callable

from keyfob.oauth.wire import Response
from keyfob.server.endpoints import signed_text
from keyfob.server.endpoints.request import Request
from keyfob.server.lifecycle.announcements import NotAnnounced
from keyfob.server.state import ServerState
from keyfob.serving import json_response

_DESCRIPTION = "it must be signed in clear by the confirmed certificate of the client's partner, and be of now"


def changes(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    """202 for what is announced, 200 for what is done, 409 for what is believed and cannot be done."""

    async def answer(request: Request) -> Response:
        def take() -> Response:
            try:
                document = state.self_service.ask_for_change(request.body)
            except NotAnnounced as refused:
                return signed_text.error(409, refused.code, refused.message, request)
            return json_response(202 if document["state"] == "waiting" else 200, document)

        return await signed_text.answer(state, request, take, what="change_request", description=_DESCRIPTION)

    return answer
