"""`/partner/v1/acknowledgements`: a partner says that it has opened a message. Its signature is all that proves it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from keyfob.oauth.errors import InvalidRequest, OAuthError
from keyfob.oauth.wire import Response
from keyfob.problem import Problem
from keyfob.server.endpoints.refusal import refuse, unavailable
from keyfob.server.endpoints.request import Request
from keyfob.server.lifecycle.acknowledgements import NotAcknowledged
from keyfob.server.state import ServerState
from keyfob.serving import json_response

_DESCRIPTION = (
    "it must be signed in clear by the certificate that the message was sealed to, be of now, and name that message"
)
_log = logging.getLogger("keyfob.server")


def acknowledgements(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint. All that is not believed is one and the same 400; too much of it from one network is 429."""

    async def answer(request: Request) -> Response:
        now = state.clock()
        try:
            if request.query_string:
                raise InvalidRequest("there are no parameters here")
            state.throttle.spare(address=request.address, now=now)
            client_id = await asyncio.to_thread(state.self_service.acknowledge, request.body, address=request.address)
        except NotAcknowledged as refused:
            _log.info("acknowledgement_refused id=%s reason=%s", request.id, refused.code)
            state.throttle.fail(address=request.address, now=now)
            document = {
                "error": "invalid_acknowledgement",
                "error_description": _DESCRIPTION,
                "error_id": request.id,
            }
            return json_response(400, document)
        except OAuthError as reason:
            return refuse(state, request, None, reason, now=now)
        except (Problem, state.database_errors):
            _log.exception("not_acknowledged id=%s", request.id)
            return unavailable(request)
        return json_response(200, {"client_id": client_id, "acknowledged": True})

    return answer
