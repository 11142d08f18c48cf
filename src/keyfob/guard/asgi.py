"""The guard in front of Starlette and FastAPI handlers, and of any ASGI application."""

from __future__ import annotations  # help(protect) then shows the names of the types

import functools
import inspect
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, ParamSpec, TypeVar

from keyfob.guard.guard import Guard
from keyfob.guard.presented import from_asgi
from keyfob.guard.refusal import refuse
from keyfob.oauth import trusted_proxies
from keyfob.oauth.errors import OAuthError
from keyfob.oauth.trusted_proxies import Proxies
from keyfob.oauth.wire import Response

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

P = ParamSpec("P")
T = TypeVar("T")
Handler = Callable[P, Awaitable[T]]


def require(
    guard: Guard, scope: str, *, resource_metadata: str | None = None, trusted_proxy: Proxies = None
) -> Callable[[Handler[P, T]], Handler[P, T]]:
    """A decorator for a Starlette or FastAPI handler that has a parameter `request`.

    The handler runs only for a request whose token has `scope`; the token is then `request.state.access_token`.
    `trusted_proxy`: addresses and networks whose Client-Cert header tells the client's certificate (RFC 9440); nobody
    else's does. Raises ValueError at once for what is no proxy, and TypeError when the handler is not `async` or has
    no such parameter: no unguarded route starts.
    """
    proxies = trusted_proxies.read(trusted_proxy)

    def decorate(handler: Handler[P, T]) -> Handler[P, T]:
        signature = inspect.signature(handler)
        if "request" not in signature.parameters or not inspect.iscoroutinefunction(handler):
            raise TypeError(f"{handler.__qualname__} must be async and have a parameter `request` to be guarded")

        @functools.wraps(handler)
        async def guarded(*args: P.args, **options: P.kwargs) -> T:
            request: Any = signature.bind(*args, **options).arguments["request"]
            try:
                token = await from_asgi(request.scope, trusted_proxy=proxies).admit(guard, scope)
            except OAuthError as refused:
                answer: Any = _starlette(_refuse(refused, scope, resource_metadata, request.scope))
                return answer  # type: ignore[no-any-return]  # a Response, as every handler of a framework may return
            request.state.access_token = token
            return await handler(*args, **options)

        return guarded

    return decorate


def protect(
    app: App, guard: Guard, scope: str, *, resource_metadata: str | None = None, trusted_proxy: Proxies = None
) -> App:
    """`app` behind the guard: every HTTP request needs `scope`; the token is then `scope["state"]["access_token"]`."""
    proxies = trusted_proxies.read(trusted_proxy)

    async def protected(asgi: Scope, receive: Receive, send: Send) -> None:
        if asgi["type"] == "lifespan":
            await app(asgi, receive, send)
            return
        if asgi["type"] != "http":
            # Deny by default: what the guard cannot judge does not come through.
            await send({"type": "websocket.close", "code": 1008})
            return
        try:
            token = await from_asgi(asgi, trusted_proxy=proxies).admit(guard, scope)
        except OAuthError as refused:
            response = _refuse(refused, scope, resource_metadata, asgi)
            length = (b"content-length", str(len(response.body)).encode())
            headers = [*response.headers, length]
            await send({"type": "http.response.start", "status": response.status, "headers": headers})
            await send({"type": "http.response.body", "body": response.body})
            return
        asgi.setdefault("state", {})["access_token"] = token
        await app(asgi, receive, send)

    return protected


def _refuse(refused: OAuthError, scope: str, resource_metadata: str | None, asgi: Scope) -> Response:
    error_id = asgi.get("state", {}).get("request_id")
    return refuse(refused, scope=scope, resource_metadata=resource_metadata, error_id=error_id)


def _starlette(response: Response) -> object:
    from starlette.responses import Response as StarletteResponse  # only who has Starlette handlers comes here

    answer = StarletteResponse(response.body, response.status)
    answer.raw_headers.extend(response.headers)
    return answer
