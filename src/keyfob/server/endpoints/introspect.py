"""`/oauth2/introspect` (RFC 7662): whether a token is good, said to its client and to the resource that it is for."""

from collections.abc import Awaitable, Callable
from functools import partial

from keyfob.jose import jws
from keyfob.oauth import client_authentication, introspection
from keyfob.oauth.client_authentication import PresentedCredential
from keyfob.oauth.errors import OAuthError
from keyfob.oauth.wire import Response
from keyfob.server.endpoints.caller import authenticated_caller
from keyfob.server.endpoints.refusal import refuse, unavailable
from keyfob.server.endpoints.request import Request
from keyfob.server.signing import CannotSign
from keyfob.server.state import ServerState


def introspect(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        now = state.clock()
        presented: PresentedCredential | None = None
        try:
            parameters = request.form()
            presented = client_authentication.read(request.headers, parameters, request.certificate)
            caller = await authenticated_caller(state, presented, address=request.address, now=now)
            asked = introspection.read_request(parameters)
        except OAuthError as reason:
            return refuse(state, request, presented, reason, now=now)
        found = state.verify(asked, now)
        # RFC 7662 §2.2: whoever is not concerned learns nothing, not even that it is a token.
        said = found if found is not None and caller.is_concerned(found) else None
        if not introspection.wants_signed(request.headers):
            return introspection.write_response(said)
        key, issuer = state.signing_key(now), state.settings.issuer
        claims = introspection.write_claims(said, issuer=issuer, audience=caller.name, now=now)
        header = key.header(introspection.JWT_TYPE)
        try:
            signed = await state.signing.by(key, partial(jws.sign, claims, key, header=header), now=now)
        except CannotSign:
            state.alarms.signing_failed(now)
            return unavailable(request)
        return introspection.write_signed(signed)

    return answer
