"""The guard as a FastAPI dependency, which also describes itself in the API's OpenAPI document."""

from collections.abc import Mapping
from typing import Any

from fastapi import HTTPException, Request
from fastapi.openapi.models import OAuth2, OAuthFlowClientCredentials, OAuthFlows
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase

from keyfob.guard.guard import Guard
from keyfob.guard.presented import from_asgi
from keyfob.guard.refusal import refuse, text_headers
from keyfob.oauth import trusted_proxies
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.errors import OAuthError
from keyfob.oauth.trusted_proxies import Proxies


class ClientCredentials(SecurityBase):
    """`Security(ClientCredentials(guard, ...), scopes=["orders:read"])` gives the handler its AccessToken.

    `scopes`: each with what it allows, for the description; `token_url`: where tokens are had. A dependency that names
    no scope admits nobody. The refusal is RFC 6750's, its body `{"detail": ...}` as a problem document.
    """

    def __init__(
        self, guard: Guard, *, token_url: str, scopes: Mapping[str, str], resource_metadata: str | None = None,
        trusted_proxy: Proxies = None, scheme_name: str = "oauth2",
    ) -> None:  # fmt: skip
        flow = OAuthFlowClientCredentials(tokenUrl=token_url, scopes=dict(scopes))
        self.model = OAuth2(flows=OAuthFlows(clientCredentials=flow))
        self.scheme_name = scheme_name
        self._guard = guard
        self._scopes = frozenset(scopes)
        self._resource_metadata = resource_metadata
        self._trusted_proxy = trusted_proxies.read(trusted_proxy)

    async def __call__(self, request: Request, wanted: SecurityScopes) -> AccessToken:
        unknown = set(wanted.scopes) - self._scopes
        if not wanted.scopes or unknown:
            # A mistake in the program, not of the caller: nobody comes in by it.
            raise RuntimeError(f"name one of the scopes in Security(..., scopes=[...]); unknown: {sorted(unknown)}")
        scope = " ".join(wanted.scopes)
        try:
            token = await from_asgi(request.scope, trusted_proxy=self._trusted_proxy).admit(self._guard, scope)
        except OAuthError as refused:
            response = refuse(refused, scope=scope, resource_metadata=self._resource_metadata)
            headers = text_headers(response)
            raise HTTPException(response.status, refused.description, headers) from refused
        state: Any = request.state
        state.access_token = token
        return token
