"""`/handoff/{token}`: a page that says what is here (GET), and the sealed message itself (POST).

Whatever looks at links before a person does asks by GET, and uses nothing up. There is no script, and no right in the
token. A link that is dead, used up or was never made is the same 404.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from keyfob.oauth.wire import Response
from keyfob.problem import Problem
from keyfob.server.endpoints import handoff_page
from keyfob.server.endpoints.credentials import MEDIA_TYPE
from keyfob.server.endpoints.refusal import unavailable
from keyfob.server.endpoints.request import Request
from keyfob.server.state import ServerState

_HTML = (b"content-type", b"text/html; charset=utf-8")
_log = logging.getLogger("keyfob.server")


def handoff(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    issuer = state.settings.issuer

    async def answer(request: Request) -> Response:
        try:
            if request.method == "POST":
                return await _fetch(request)
            offered = await asyncio.to_thread(state.self_service.offered, request.name)
        except (Problem, state.database_errors):
            _log.exception("handoff_failed id=%s", request.id)
            return unavailable(request)
        if offered is None:
            return _gone()
        return Response(200, (_HTML, handoff_page.POLICY), handoff_page.write(offered, issuer=issuer))

    async def _fetch(request: Request) -> Response:
        found = await asyncio.to_thread(state.self_service.fetch, request.name, address=request.address)
        if found is None:
            return _gone()
        offered, armored = found
        name = f'attachment; filename="{offered.client_id}.{offered.message.credential_id}.asc"'
        return Response(200, ((b"content-type", MEDIA_TYPE), (b"content-disposition", name.encode())), armored)

    def _gone() -> Response:
        return Response(404, (_HTML, handoff_page.POLICY), handoff_page.GONE)

    return answer
