"""`/oauth2/register/{client_id}` (RFC 7592): a client that registered itself looks after its registration.

Whatever is wrong with its token, and whether there is such a client or not, is the same 401.
"""

import asyncio
from collections.abc import Awaitable, Callable

from keyfob.oauth import client_configuration as configuration
from keyfob.oauth import client_registration
from keyfob.oauth.errors import OAuthError
from keyfob.oauth.wire import Response
from keyfob.problem import Problem
from keyfob.secret import Secret
from keyfob.server.endpoints.registration import not_registered, refuse_registration
from keyfob.server.endpoints.request import Request
from keyfob.server.refusals.causes import PROVEN
from keyfob.server.state import ServerState


def client_configuration(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        now = state.clock()
        token: Secret | None = None
        holder: str | None = None
        try:
            token = client_registration.read_token(request.headers, request.query_string)
            held = await asyncio.to_thread(state.registrar.look, request.name, token, now=now)
            holder = held.client.id
            assert token is not None
            state.throttle.admit(holder, address=request.address, now=now)
            return await _ACTS[request.method](state, request, holder, token, now)
        except OAuthError as reason:
            is_proven = holder is not None or reason.detail in PROVEN
            named = request.name if is_proven else None
            return refuse_registration(state, request, reason, token=token, client_id=named, now=now)
        except (Problem, state.database_errors):
            return not_registered(state, request, now=now)

    return answer


async def _read(state: ServerState, request: Request, client_id: str, token: Secret, now: int) -> Response:
    read = state.registrar.read
    found = await asyncio.to_thread(read, client_id, token, request_id=request.id, now=now)
    return client_registration.write_response(found, status=200)


async def _update(state: ServerState, request: Request, client_id: str, token: Secret, now: int) -> Response:
    document = client_registration.read_document(request.headers, request.body)
    asked = configuration.read_update(document, client_id=client_id)
    update = state.registrar.update
    changed = await asyncio.to_thread(update, client_id, token, asked, request_id=request.id, now=now)
    return client_registration.write_response(changed, status=200)


async def _delete(state: ServerState, _request: Request, client_id: str, token: Secret, now: int) -> Response:
    await asyncio.to_thread(state.registrar.delete, client_id, token, now=now)
    return configuration.write_deleted()


_ACTS = {"GET": _read, "PUT": _update, "DELETE": _delete}
