"""`/partner/v1/changes`: a partner asks for other keys, or that none come. Its signature is all that proves it."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from keyfob.oauth.errors import InvalidRequest, OAuthError
from keyfob.oauth.wire import Response
from keyfob.problem import Problem
from keyfob.server.endpoints.refusal import refuse, unavailable
from keyfob.server.endpoints.request import Request
from keyfob.server.lifecycle.announcements import NotAnnounced
from keyfob.server.lifecycle.change_requests import NotBelieved
from keyfob.server.state import ServerState
from keyfob.serving import json_response

_DESCRIPTION = "it must be signed in clear by the confirmed certificate of the client's partner, and be of now"
_log = logging.getLogger("keyfob.server")


def changes(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    """202 for what is announced, 200 for what is done; all that is not believed is one and the same 400."""

    async def answer(request: Request) -> Response:
        now = state.clock()
        try:
            if request.query_string:
                raise InvalidRequest("there are no parameters here")
            state.throttle.spare(address=request.address, now=now)
            document = await asyncio.to_thread(state.self_service.ask_for_change, request.body)
        except NotBelieved as refused:
            _log.info("change_refused id=%s reason=%s", request.id, refused.code)
            state.throttle.fail(address=request.address, now=now)
            return _refuse(400, "invalid_change_request", _DESCRIPTION, request)
        except NotAnnounced as refused:
            return _refuse(409, refused.code, refused.message, request)
        except OAuthError as reason:
            return refuse(state, request, None, reason, now=now)
        except (Problem, state.database_errors):
            _log.exception("change_not_taken id=%s", request.id)
            return unavailable(request)
        return json_response(202 if document["state"] == "waiting" else 200, document)

    return answer


def _refuse(status: int, code: str, message: str, request: Request) -> Response:
    return json_response(status, {"error": code, "error_description": message, "error_id": request.id})
