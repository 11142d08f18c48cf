"""`/oauth2/revoke` (RFC 7009): a client gives one of its own tokens back."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from keyfob.oauth import client_authentication, revocation
from keyfob.oauth.client_authentication import PresentedCredential
from keyfob.oauth.errors import OAuthError, UnauthorizedClient
from keyfob.oauth.wire import Response
from keyfob.problem import Problem
from keyfob.server.endpoints.caller import authenticated_client
from keyfob.server.endpoints.refusal import refuse, unavailable
from keyfob.server.endpoints.request import Request
from keyfob.server.refusals.causes import Cause
from keyfob.server.state import ServerState

_log = logging.getLogger("keyfob.server")


def revoke(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        now = state.clock()
        presented: PresentedCredential | None = None
        try:
            parameters = request.form()
            presented = client_authentication.read(request.headers, parameters, request.certificate)
            client = (await authenticated_client(state, presented, address=request.address, now=now)).client
            given_back = revocation.read_request(parameters)
            # A revocation is a durable write like a token: it draws on the same allowance.
            state.throttle.admit(client.id, address=request.address, now=now)
            found = state.verify(given_back, now)
            # RFC 7009 §2.2: what is no token is no error.
            if found is None:
                return revocation.write_response()
            # RFC 7009 §2.1: a token of another client is refused, and goes on.
            if found.client_id != client.id:
                raise UnauthorizedClient("the token was issued to another client", detail=Cause.TOKEN_OF_ANOTHER)
            # RFC 7009 §2, §2.1: revoked at once, before the answer.
            await asyncio.to_thread(state.revoke, found)
        except OAuthError as reason:
            return refuse(state, request, presented, reason, now=now)
        except (Problem, state.database_errors):
            _log.exception("token_not_revoked id=%s", request.id)
            state.alarms.audit_failed(now)
            return unavailable(request)
        return revocation.write_response()

    return answer
