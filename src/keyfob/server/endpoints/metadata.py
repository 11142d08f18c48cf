"""`/.well-known/oauth-authorization-server` (RFC 8414): built from configuration, never from the request's Host."""

from collections.abc import Awaitable, Callable

from keyfob.jose.algorithms import ALGORITHMS
from keyfob.oauth import server_metadata
from keyfob.oauth.client_authentication import Method
from keyfob.oauth.server_metadata import ServerMetadata
from keyfob.oauth.wire import Response
from keyfob.server.endpoints.documents import serve_document
from keyfob.server.endpoints.request import Request
from keyfob.server.state import ServerState
from keyfob.server.storage.records import Purpose

MAX_AGE = 300
_METHODS = (Method.CLIENT_SECRET_BASIC.value, Method.CLIENT_SECRET_POST.value, Method.PRIVATE_KEY_JWT.value)
_BY_CERTIFICATE = (Method.TLS_CLIENT_AUTH.value, Method.SELF_SIGNED_TLS_CLIENT_AUTH.value)


def metadata(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    async def answer(request: Request) -> Response:
        issuer, resources = state.settings.issuer, state.resources()
        asks = state.settings.asks_for_certificates
        methods = (*_METHODS, *_BY_CERTIFICATE) if asks else _METHODS
        document = ServerMetadata(
            issuer=issuer,
            token_endpoint=state.settings.token_endpoint,
            jwks_uri=f"{issuer}/oauth2/jwks",
            registration_endpoint=state.settings.registration_endpoint,
            introspection_endpoint=f"{issuer}/oauth2/introspect",
            revocation_endpoint=f"{issuer}/oauth2/revoke",
            service_documentation=state.settings.service_documentation,
            scopes_supported=tuple(sorted({scope for resource in resources for scope in resource.scope})),
            token_endpoint_auth_methods_supported=methods,
            # RFC 8414 §2: where assertions are taken, their algorithms are named.
            token_endpoint_auth_signing_alg_values_supported=tuple(ALGORITHMS),
            introspection_endpoint_auth_methods_supported=methods,
            introspection_endpoint_auth_signing_alg_values_supported=tuple(ALGORITHMS),
            introspection_signing_alg_values_supported=tuple(
                sorted({str(key["alg"]) for key in state.published_jwks(state.clock())})
            ),
            revocation_endpoint_auth_methods_supported=methods,
            revocation_endpoint_auth_signing_alg_values_supported=tuple(ALGORITHMS),
            # RFC 8705 §3.3: said only where a certificate can come.
            tls_client_certificate_bound_access_tokens=asks,
            dpop_signing_alg_values_supported=tuple(ALGORITHMS),
            authorization_details_types_supported=tuple(
                sorted({kind for resource in resources for kind in resource.authorization_details_types})
            ),
            protected_resources=tuple(resource.url for resource in resources),
            keyfob_leaks_endpoint=f"{issuer}/leaks",
            keyfob_revocations_endpoint=f"{issuer}/oauth2/revocations",
            keyfob_usage_endpoint=f"{issuer}/usage",
            keyfob_revocations_jwks={"keys": list(state.published_jwks(state.clock(), Purpose.REVOCATIONS))},
        )
        body = server_metadata.write(document)
        return serve_document(request, body, media_type="application/json", max_age=MAX_AGE)

    return answer
