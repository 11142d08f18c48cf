"""How every endpoint with credentials says no: slowed down when it is too often, noted for the operator, then said."""

from collections.abc import Mapping

from keyfob.oauth import token_endpoint
from keyfob.oauth.client_authentication import PresentedCredential
from keyfob.oauth.dpop import UseDpopNonce
from keyfob.oauth.errors import OAuthError
from keyfob.oauth.wire import Response
from keyfob.server.endpoints.request import Request
from keyfob.server.state import ServerState
from keyfob.serving import json_response

RETRY_AFTER = 2


def refuse(
    state: ServerState,
    request: Request,
    presented: PresentedCredential | None,
    reason: OAuthError,
    *,
    parameters: Mapping[str, str] | None = None,
    now: int,
) -> Response:
    """RFC 6749 §5.2. Only after the check: whoever has the secret is never slowed down by those who guess it."""
    refused = state.throttle.slow_down(reason, presented, address=request.address, now=now)
    state.note_refusal(request, refused, presented=presented, parameters=parameters, now=now)
    # RFC 9449 §8: with this nonce the client may try again at once.
    nonce = state.dpop_nonce(now) if isinstance(refused, UseDpopNonce) else None
    return token_endpoint.write_error(refused, error_id=request.id, nonce=nonce)


def unavailable(request: Request) -> Response:
    """The database cannot be written in time: nothing is granted or said to be done that is not on record."""
    document = {
        "error": "temporarily_unavailable",
        "error_description": "this cannot be done at the moment; try again",
        "error_id": request.id,
    }
    headers = ((b"retry-after", str(RETRY_AFTER).encode()), (b"cache-control", b"no-store"), (b"pragma", b"no-cache"))
    return json_response(503, document, headers=headers)
