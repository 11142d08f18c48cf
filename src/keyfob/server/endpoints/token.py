"""`/oauth2/token` (RFC 6749 §4.4): a client's credential for a short-lived access token."""

from collections.abc import Awaitable, Callable

from keyfob.oauth import client_authentication, form, token_endpoint
from keyfob.oauth.client_authentication import PresentedCredential
from keyfob.oauth.errors import InvalidRequest, OAuthError
from keyfob.oauth.token_endpoint import IssuedToken
from keyfob.oauth.wire import Response
from keyfob.secret import Secret
from keyfob.server.authenticate import authenticate
from keyfob.server.authorize import Grant, authorize
from keyfob.server.endpoints.request import Request
from keyfob.server.group_commit import Unavailable
from keyfob.server.mint import mint
from keyfob.server.state import ServerState
from keyfob.server.storage.records import TokenIssued, TokenRefused
from keyfob.serving import json_response

RETRY_AFTER = 2


def token(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint. Each step's result is the ticket for the next; nothing goes back to an earlier one."""

    async def answer(request: Request) -> Response:
        now = state.clock()
        presented: PresentedCredential | None = None
        try:
            # RFC 6749 §2.3.1: no parameter of ours is ever in the URI; URIs are logged.
            if request.query_string:
                raise InvalidRequest("parameters belong in the body: what was in the URL counts as exposed")
            parameters = form.parse(request.header(b"content-type"), request.body)
            presented = client_authentication.read(request.headers, parameters)
            token_request = token_endpoint.read_request(parameters)
            view = state.find_client(presented.client_id)
            authenticated = authenticate(view, presented, state.peppers, now=now)
            grant = authorize(authenticated, token_request)
            state.throttle.admit(grant.client_id, address=request.address, now=now)
            key = state.signing_key(now)
            issued = mint(grant, key, issuer=state.settings.issuer, now=now, jti=state.entropy(16).hex())
            # Evidence first: a token that left without its record could never be accounted for.
            await state.grants.append(_evidence(request, grant, issued, kid=key.kid, now=now))
        except OAuthError as reason:
            # Only here, after the check: whoever has the secret is never slowed down by those who guess it.
            refused = state.throttle.slow_down(reason, presented, address=request.address, now=now)
            state.refusals.note(_refusal(state, request, presented, refused))
            return token_endpoint.write_error(refused, error_id=request.id)
        except Unavailable:
            return _unavailable(request)
        return token_endpoint.write_response(issued)

    return answer


def _evidence(request: Request, grant: Grant, issued: IssuedToken, *, kid: str, now: int) -> TokenIssued:
    return TokenIssued(
        jti=issued.jti,
        client_id=grant.client_id,
        credential_id=grant.credential_id,
        resource=issued.resource,
        scope=issued.scope,
        authorization_details=issued.authorization_details,
        kid=kid,
        expires_at=now + issued.lifetime,
        address=request.address,
        request_id=request.id,
    )


def _refusal(
    state: ServerState, request: Request, presented: PresentedCredential | None, refused: OAuthError
) -> TokenRefused:
    client_id = presented.client_id if presented is not None else None
    known = client_id is not None and state.find_client(client_id) is not None
    return TokenRefused(
        error=refused.code,
        reason=refused.detail or refused.description,
        client_id=client_id if known else None,
        unknown_client_id=None if known or client_id is None else Secret(client_id),
        address=request.address,
        request_id=request.id,
    )


def _unavailable(request: Request) -> Response:
    """The audit cannot be written in time: nothing is granted that could not be accounted for."""
    document = {
        "error": "temporarily_unavailable",
        "error_description": "tokens cannot be issued at the moment; try again",
        "error_id": request.id,
    }
    headers = ((b"retry-after", str(RETRY_AFTER).encode()), (b"cache-control", b"no-store"), (b"pragma", b"no-cache"))
    return json_response(503, document, headers=headers)
