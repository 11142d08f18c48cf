"""`/partner/v1/refusals/{error_id}`: a client reads why it was refused, if it has another way to prove who it is.

GET is for a secret, in HTTP Basic. POST is for whatever is a parameter or a certificate, as at the token endpoint.

Whatever is not this client's, was never, or is a day old, is the same 404: an id tells a stranger nothing.
"""

import re
from collections.abc import Awaitable, Callable

from keyfob.oauth import client_authentication
from keyfob.oauth.client_authentication import PresentedCredential
from keyfob.oauth.errors import InvalidRequest, OAuthError
from keyfob.oauth.wire import Response
from keyfob.server.endpoints.caller import authenticated_client
from keyfob.server.endpoints.refusal import refuse
from keyfob.server.endpoints.request import Request
from keyfob.server.refusals import words
from keyfob.server.state import ServerState
from keyfob.serving import json_response

_ERROR_ID = re.compile(r"[0-9a-f]{32}")


def refusals(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint. A refusal of it has an id and a reason like any other."""

    async def answer(request: Request) -> Response:
        now = state.clock()
        presented: PresentedCredential | None = None
        try:
            if request.query_string:
                raise InvalidRequest("there are no parameters here")
            parameters = request.form() if request.method == "POST" else {}
            presented = client_authentication.read(request.headers, parameters, request.certificate)
            authenticated = await authenticated_client(state, presented, address=request.address, now=now)
        except OAuthError as reason:
            return refuse(state, request, presented, reason, now=now)
        found = None
        if _ERROR_ID.fullmatch(request.name):
            found = await state.find_explanation(request.name, client_id=authenticated.client.id)
        if found is None:
            document = {
                "error": "not_found",
                "error_description": "no refusal of yours has this id, or it is older than 24 hours",
                "error_id": request.id,
            }
            return json_response(404, document)
        return json_response(200, words.write_for_client(found))

    return answer
