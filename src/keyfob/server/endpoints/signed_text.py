"""A request whose body is a text signed in clear, and has nothing else to prove who sends it: how each is answered."""

import asyncio
import logging
from collections.abc import Callable

from keyfob.oauth.errors import InvalidRequest, OAuthError
from keyfob.oauth.wire import Response
from keyfob.problem import Problem
from keyfob.server.endpoints.refusal import refuse, unavailable
from keyfob.server.endpoints.request import Request
from keyfob.server.lifecycle.signed_texts import NotBelieved
from keyfob.server.state import ServerState
from keyfob.serving import json_response

_log = logging.getLogger("keyfob.server")


async def answer(
    state: ServerState, request: Request, act: Callable[[], Response], *, what: str, description: str
) -> Response:
    """What `act` answers, in a thread. All that is not believed is one and the same 400, `invalid_` and `what`.

    Too much of it from one network is 429.
    """
    now = state.clock()
    try:
        if request.query_string:
            raise InvalidRequest("there are no parameters here")
        state.throttle.spare(address=request.address, now=now)
        return await asyncio.to_thread(act)
    except NotBelieved as refused:
        _log.info("%s_refused id=%s reason=%s", what, request.id, refused.code)
        state.throttle.fail(address=request.address, now=now)
        return error(400, f"invalid_{what}", description, request)
    except OAuthError as reason:
        return refuse(state, request, None, reason, now=now)
    except (Problem, state.database_errors):
        _log.exception("%s_not_taken id=%s", what, request.id)
        return unavailable(request)


def error(status: int, code: str, message: str, request: Request) -> Response:
    return json_response(status, {"error": code, "error_description": message, "error_id": request.id})
