"""`/healthz`: the process answers. `/readyz`: it can issue tokens. For load balancers and service managers."""

import logging
from collections.abc import Awaitable, Callable

from keyfob.group_commit import Unavailable
from keyfob.oauth.wire import Response
from keyfob.problem import Problem
from keyfob.server.endpoints.request import Request
from keyfob.server.signing import CannotSign
from keyfob.server.state import ServerState
from keyfob.serving import json_response

_log = logging.getLogger("keyfob.server")


async def live(_request: Request) -> Response:
    return json_response(200, {"status": "ok"})


def ready(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    async def answer(_request: Request) -> Response:
        try:
            now = state.clock()
            await state.signing.check(state.signing_key(now), now=now)
            await state.grants.check()
        except (Problem, OSError, CannotSign, Unavailable, state.database_errors) as failed:
            _log.error("not_ready reason=%s", type(failed).__name__)
            return json_response(503, {"status": "not ready"}, headers=((b"retry-after", b"5"),))
        return json_response(200, {"status": "ready"})

    return answer
