"""`/.well-known/smart-configuration`: what a client of SMART Backend Services reads (HL7 SMART App Launch 2.2)."""

import json
from collections.abc import Awaitable, Callable

from keyfob.oauth.client_authentication import Method
from keyfob.oauth.wire import Response
from keyfob.server.endpoints.documents import serve_document
from keyfob.server.endpoints.request import Request
from keyfob.server.profiles import RULES
from keyfob.server.state import ServerState
from keyfob.server.storage.records import Profile

MAX_AGE = 300


def smart_configuration(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        settings = state.settings
        document = {
            "issuer": settings.issuer,
            "jwks_uri": f"{settings.issuer}/oauth2/jwks",
            "token_endpoint": settings.token_endpoint,
            "registration_endpoint": settings.registration_endpoint,
            "introspection_endpoint": f"{settings.issuer}/oauth2/introspect",
            "revocation_endpoint": f"{settings.issuer}/oauth2/revoke",
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": [Method.PRIVATE_KEY_JWT.value],
            "token_endpoint_auth_signing_alg_values_supported": sorted(RULES[Profile.SMART].assertion_algorithms),
            "scopes_supported": sorted({scope for resource in state.resources() for scope in resource.scope}),
            "capabilities": ["client-confidential-asymmetric"],
            # Required of every server, also of one without the authorization endpoint that it would be for.
            "code_challenge_methods_supported": ["S256"],
        }
        body = json.dumps(document, separators=(",", ":")).encode()
        return serve_document(request, body, media_type="application/json", max_age=MAX_AGE)

    return answer
