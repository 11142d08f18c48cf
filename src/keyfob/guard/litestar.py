"""The guard as Litestar knows guards: a callable in `guards=[...]` of a handler, a router or the application."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeAlias

from litestar.connection import ASGIConnection
from litestar.exceptions import HTTPException
from litestar.handlers import BaseRouteHandler

from keyfob.guard.guard import Guard
from keyfob.guard.presented import from_asgi
from keyfob.guard.refusal import refuse, text_headers
from keyfob.oauth import trusted_proxies
from keyfob.oauth.errors import OAuthError
from keyfob.oauth.trusted_proxies import Proxies

Connection: TypeAlias = "ASGIConnection[Any, Any, Any, Any]"


def require(
    guard: Guard, scope: str, *, resource_metadata: str | None = None, trusted_proxy: Proxies = None
) -> Callable[[Connection, BaseRouteHandler], Awaitable[None]]:
    """Admits a request whose token has `scope`; the token is then `request.state.access_token`.

    `trusted_proxy`: addresses and networks whose Client-Cert header tells the client's certificate (RFC 9440); nobody
    else's does.
    """
    proxies = trusted_proxies.read(trusted_proxy)

    async def admit(connection: Connection, _: BaseRouteHandler) -> None:
        asgi: Any = connection.scope
        try:
            presented = from_asgi(asgi, trusted_proxy=proxies, route=str(asgi.get("path_template", "")))
            token = await presented.admit(guard, scope)
        except OAuthError as refused:
            response = refuse(refused, scope=scope, resource_metadata=resource_metadata)
            headers = text_headers(response)
            raise HTTPException(status_code=response.status, detail=refused.description, headers=headers) from refused
        connection.state.access_token = token

    return admit
