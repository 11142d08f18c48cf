"""`/usage`: an API tells which of its scopes are used, and proves itself with the key that it registered."""

import asyncio
from collections.abc import Awaitable, Callable

from keyfob.oauth import client_authentication, usage_report
from keyfob.oauth.client_authentication import PresentedCredential
from keyfob.oauth.errors import OAuthError
from keyfob.oauth.wire import Response
from keyfob.server.endpoints.caller import authenticated_resource
from keyfob.server.endpoints.refusal import refuse
from keyfob.server.endpoints.request import Request
from keyfob.server.state import ServerState

_TAKEN = Response(204, ((b"cache-control", b"no-store"),), b"")


def usage(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        now = state.clock()
        presented: PresentedCredential | None = None
        try:
            parameters = request.form()
            presented = client_authentication.read(request.headers, parameters)
            resource = authenticated_resource(state, presented, now=now).resource
            report = usage_report.read(parameters)
        except OAuthError as reason:
            return refuse(state, request, presented, reason, now=now)
        await asyncio.to_thread(state.take_report, resource.url, report)
        return _TAKEN

    return answer
