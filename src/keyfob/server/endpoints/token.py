"""`/oauth2/token` (RFC 6749 §4.4): a client's credential for a short-lived access token."""

from collections.abc import Awaitable, Callable
from functools import partial

from keyfob.group_commit import Unavailable
from keyfob.oauth import client_assertion, client_authentication, token_endpoint
from keyfob.oauth.client_assertion import ClientAssertion
from keyfob.oauth.client_authentication import PresentedCredential
from keyfob.oauth.dpop import Proof
from keyfob.oauth.errors import OAuthError
from keyfob.oauth.token_endpoint import IssuedToken
from keyfob.oauth.wire import Response
from keyfob.server.authenticate import AuthenticatedClient
from keyfob.server.authorize import Grant, authorize
from keyfob.server.endpoints.caller import authenticated_client
from keyfob.server.endpoints.refusal import refuse, unavailable
from keyfob.server.endpoints.request import Request
from keyfob.server.lifecycle import states
from keyfob.server.mint import mint
from keyfob.server.possession import confirmation, read_possession
from keyfob.server.refusals.causes import Cause
from keyfob.server.signing import CannotSign
from keyfob.server.state import ServerState
from keyfob.server.storage.records import SingleUse, TokenIssued, Used


def token(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint. Each step's result is the ticket for the next; nothing goes back to an earlier one."""

    async def answer(request: Request) -> Response:
        now = state.clock()
        presented: PresentedCredential | None = None
        parameters: dict[str, str] = {}
        try:
            parameters = request.form()
            presented = client_authentication.read(request.headers, parameters, request.certificate)
            token_request = token_endpoint.read_request(parameters)
            authenticated = await authenticated_client(state, presented, address=request.address, now=now)
            proof = read_possession(
                authenticated,
                request.headers,
                token_endpoint=state.settings.token_endpoint,
                is_fresh_nonce=lambda nonce: state.is_fresh_nonce(nonce, now),
                now=now,
            )
            bound = confirmation(authenticated, proof, request.certificate, now=now)
            grant = authorize(authenticated, token_request)
            state.throttle.admit(grant.client_id, address=request.address, now=now)
            key = state.signing_key(now)
            jti = state.entropy(16).hex()
            minting = partial(mint, grant, key, issuer=state.settings.issuer, now=now, jti=jti, confirmation=bound)
            issued = await state.signing.by(key, minting, now=now)
            # Evidence first: a token that left without its record could never be accounted for.
            await state.grants.append(_evidence(request, authenticated, proof, grant, issued, kid=key.kid, now=now))
        except OAuthError as reason:
            if reason.detail is Cause.QUOTA:
                await state.throttle.hold()
            return refuse(state, request, presented, reason, parameters=parameters, now=now)
        except CannotSign:
            state.alarms.signing_failed(now)
            return unavailable(request)
        except Unavailable:
            state.alarms.audit_failed(now)
            return unavailable(request)
        state.alarms.succeeded(grant.client_id)
        if authenticated.credential.emergency:
            state.alarms.emergency_used(grant.client_id, address=request.address, now=now)
        return token_endpoint.write_response(
            issued,
            nonce=None if proof is None else state.dpop_nonce(now),
            credential_expires_in=states.expires_in(authenticated.credential, now),
        )

    return answer


def _evidence(
    request: Request,
    authenticated: AuthenticatedClient,
    proof: Proof | None,
    grant: Grant,
    issued: IssuedToken,
    *,
    kid: str,
    now: int,
) -> TokenIssued:
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
        single_uses=_single_uses(authenticated.assertion, proof),
        may_be_first=authenticated.credential.first_used_at is None,
    )


def _single_uses(assertion: ClientAssertion | None, proof: Proof | None) -> tuple[SingleUse, ...]:
    """RFC 7523 §3 item 7, RFC 9449 §11.1: remembered for as long as a clock that is ahead could use them again."""
    uses = []
    if assertion is not None:
        uses.append(SingleUse(Used.ASSERTION, assertion.jti or "", assertion.expires_at + client_assertion.LEEWAY))
    if proof is not None:
        uses.append(SingleUse(Used.PROOF, f"{proof.key_id} {proof.jti}", proof.expires_at))
    return tuple(uses)
