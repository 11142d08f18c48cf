"""`/oauth2/register` (RFC 7591): a partner registers a client, as far as its initial access token allows."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from keyfob.oauth import client_registration
from keyfob.oauth.client_authentication import Method
from keyfob.oauth.client_configuration import KeysByToken, MoreThanHeld
from keyfob.oauth.client_registration import ClientMetadata
from keyfob.oauth.errors import InvalidClientMetadata, InvalidToken, OAuthError
from keyfob.oauth.wire import Response
from keyfob.problem import Problem
from keyfob.secret import Secret
from keyfob.server.endpoints.refusal import unavailable
from keyfob.server.endpoints.request import Request
from keyfob.server.lifecycle import clients
from keyfob.server.refusals.causes import Cause
from keyfob.server.state import ServerState

_log = logging.getLogger("keyfob.server")
_CAUSES: dict[type[OAuthError], Cause] = {
    MoreThanHeld: Cause.REGISTRATION_WIDENED,
    KeysByToken: Cause.REGISTRATION_KEYS,
}


def registration(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint: who may first, then what, and nothing is made before all of it holds."""

    async def answer(request: Request) -> Response:
        now = state.clock()
        token: Secret | None = None
        try:
            token = client_registration.read_token(request.headers, request.query_string)
            allowance = await asyncio.to_thread(state.registrar.admit, token, now=now)
            assert token is not None
            state.throttle.admit(allowance.id, address=request.address, now=now)
            document = client_registration.read_document(request.headers, request.body)
            asked = client_registration.read_metadata(document)
            await _see_keys(state, asked, now)
            made = await asyncio.to_thread(state.registrar.register, token, asked, request_id=request.id, now=now)
        except OAuthError as reason:
            return refuse_registration(state, request, reason, token=token, now=now)
        except (Problem, state.database_errors):
            return not_registered(state, request, now=now)
        return client_registration.write_response(made, status=201)

    return answer


def refuse_registration(
    state: ServerState,
    request: Request,
    reason: OAuthError,
    *,
    token: Secret | None,
    client_id: str | None = None,
    now: int,
) -> Response:
    """RFC 7591 §3.2.2. `client_id`: whose token it is, where that is proven."""
    refused = reason
    if isinstance(reason, InvalidToken) and token is not None:
        refused = state.throttle.slow_down_token(reason, address=request.address, now=now)
    if not isinstance(refused.detail, Cause):
        refused.detail = _CAUSES.get(type(refused), Cause.METADATA_REFUSED)
    state.note_refusal(request, refused, client_id=client_id, now=now)
    return client_registration.write_error(refused, error_id=request.id, came_without_token=token is None)


def not_registered(state: ServerState, request: Request, *, now: int) -> Response:
    """What could not be recorded was not done."""
    _log.exception("registration_not_written id=%s", request.id)
    state.alarms.audit_failed(now)
    return unavailable(request)


async def _see_keys(state: ServerState, asked: ClientMetadata, now: int) -> None:
    """A wrong URL shows now, and not at the client's first token request. Raises InvalidClientMetadata."""
    if asked.jwks_uri is None:
        return
    try:
        found = await state.fetch_keys(clients.check_jwks_uri(asked.jwks_uri), now)
        if found is None:
            raise InvalidClientMetadata("there are no usable keys at jwks_uri, or it leads into an inner network")
        if asked.auth_method is Method.SELF_SIGNED_TLS_CLIENT_AUTH:
            clients.check_certificates(found)
    except Problem as unusable:
        raise InvalidClientMetadata(unusable.message) from unusable
