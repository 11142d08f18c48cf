"""`/.well-known/oauth-authorization-server` (RFC 8414): built from configuration, never from the request's Host."""

from collections.abc import Awaitable, Callable

from keyfob.oauth import server_metadata
from keyfob.oauth.client_authentication import Method
from keyfob.oauth.server_metadata import ServerMetadata
from keyfob.oauth.wire import Response
from keyfob.server.endpoints.documents import serve_document
from keyfob.server.endpoints.request import Request
from keyfob.server.state import ServerState

MAX_AGE = 3600


def metadata(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        resources = state.resources()
        document = ServerMetadata(
            issuer=state.settings.issuer,
            token_endpoint=state.settings.token_endpoint,
            jwks_uri=f"{state.settings.issuer}/oauth2/jwks",
            scopes_supported=tuple(sorted({scope for resource in resources for scope in resource.scope})),
            token_endpoint_auth_methods_supported=(Method.CLIENT_SECRET_BASIC.value, Method.CLIENT_SECRET_POST.value),
            authorization_details_types_supported=tuple(
                sorted({kind for resource in resources for kind in resource.authorization_details_types})
            ),
        )
        body = server_metadata.write(document)
        return serve_document(request, body, media_type="application/json", max_age=MAX_AGE)

    return answer
