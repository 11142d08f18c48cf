"""`/partner/v1/credentials`: a client sees its credentials, asks for the sealed successor, and ends an overlap; and
`/partner/v1/scopes`: what it may do, and what it did of that.

It proves who it is by HTTP Basic; at the latter, by POST, as well by whatever the token endpoint takes. What a stolen
secret can do here, and what it cannot: `lifecycle/succession.py`.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from keyfob.oauth import client_authentication
from keyfob.oauth.client_authentication import PresentedCredential
from keyfob.oauth.errors import InvalidRequest, OAuthError
from keyfob.oauth.wire import Response
from keyfob.problem import Problem
from keyfob.server.authenticate import AuthenticatedClient
from keyfob.server.endpoints.caller import authenticated_client
from keyfob.server.endpoints.refusal import refuse, unavailable
from keyfob.server.endpoints.request import Request
from keyfob.server.lifecycle import succession
from keyfob.server.lifecycle.states import effective
from keyfob.server.lifecycle.succession import Asking, NotPossible
from keyfob.server.lifecycle.usage import Held
from keyfob.server.state import ServerState
from keyfob.server.storage.records import Credential
from keyfob.serving import json_response

Handler = Callable[[Request], Awaitable[Response]]
Act = Callable[[Request, AuthenticatedClient, int], Awaitable[Response]]
MEDIA_TYPE = b"application/pgp-encrypted"
_log = logging.getLogger("keyfob.server")


def credentials(state: ServerState) -> Handler:
    """GET: the credentials of the client that work, when each ends, and when and from where each was used last."""

    async def act(request: Request, caller: AuthenticatedClient, now: int) -> Response:
        view = state.find_client(caller.client.id, address=request.address)
        found = () if view is None else succession.living(view, now)
        shown = [_document(one, caller.credential.id, now) for one in found]
        return json_response(200, {"client_id": caller.client.id, "credentials": shown})

    return _authenticated(state, act)


def granted(state: ServerState) -> Handler:
    """GET or POST: each scope that the client holds, and whether it was used in the last 90 days, as its APIs tell."""

    async def act(request: Request, caller: AuthenticatedClient, _now: int) -> Response:
        advice = await asyncio.to_thread(state.self_service.granted, caller.client.id)
        shown = [_granted(one) for one in advice.held]
        return json_response(200, {"client_id": advice.client_id, "unused_for": advice.unused_for, "scopes": shown})

    return _authenticated(state, act, by_form=True)


def successor(state: ServerState) -> Handler:
    """POST: the sealed message of the successor, 201 when it was made now, 200 when it is handed over again."""

    async def act(request: Request, caller: AuthenticatedClient, now: int) -> Response:
        state.throttle.admit_successor(caller.client.id, now=now)
        given = await asyncio.to_thread(state.self_service.successor, _asking(request, caller))
        name = f'attachment; filename="{given.client_id}.{given.credential_id}.asc"'
        headers = ((b"content-type", MEDIA_TYPE), (b"content-disposition", name.encode()))
        return Response(201 if given.made else 200, headers, given.armored)

    return _authenticated(state, act)


def finish(state: ServerState) -> Handler:
    """POST: the old secret stops working now. Only for whoever has the new one."""

    async def act(request: Request, caller: AuthenticatedClient, _now: int) -> Response:
        ended = await asyncio.to_thread(state.self_service.finish, _asking(request, caller))
        return json_response(200, {"client_id": caller.client.id, "retired": list(ended)})

    return _authenticated(state, act)


def _authenticated(state: ServerState, act: Act, *, by_form: bool = False) -> Handler:
    """`act` for a client that has proven who it is; how the rest is said.

    `by_form`: a POST may prove it by parameters or a certificate, too.
    """

    async def answer(request: Request) -> Response:
        now = state.clock()
        presented: PresentedCredential | None = None
        try:
            has_form = by_form and request.method == "POST"
            if request.query_string or (request.body and not has_form):
                raise InvalidRequest("there are no parameters here")
            parameters, certificate = (request.form(), request.certificate) if has_form else ({}, None)
            presented = client_authentication.read(request.headers, parameters, certificate)
            caller = await authenticated_client(state, presented, address=request.address, now=now)
            state.throttle.admit(caller.client.id, address=request.address, now=now)
            return await act(request, caller, now)
        except OAuthError as reason:
            return refuse(state, request, presented, reason, now=now)
        except NotPossible as refused:
            document = {"error": refused.code, "error_description": refused.message, "error_id": request.id}
            return json_response(409, document)
        except (Problem, state.database_errors):
            _log.exception("self_service_failed id=%s", request.id)
            return unavailable(request)

    return answer


def _asking(request: Request, caller: AuthenticatedClient) -> Asking:
    return Asking(caller.client.id, caller.credential.id, request.address)


def _document(one: Credential, asking_id: str, now: int) -> dict[str, object]:
    return {
        "credential_id": one.id,
        "is_this": one.id == asking_id,
        "state": effective(one, now).value,
        "expires_at": one.expires_at,
        "first_use_by": one.first_use_by if one.first_used_at is None else None,
        "overlap_ends_at": one.overlap_ends_at,
        "first_used_at": one.first_used_at,
        "last_used_at": one.last_used_at,
        "last_used_from": one.last_used_from,
    }


def _granted(one: Held) -> dict[str, object]:
    """Which calls it were, and how many, is the operator's to know: a stolen secret shall tell nobody."""
    return {
        "resource": one.resource,
        "scope": one.scope,
        "verdict": one.verdict.value,
        "why": one.why,
        "granted_at": one.granted_at or None,
        "last_used_at": one.last_used_at,
    }
