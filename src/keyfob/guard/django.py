"""The guard in front of Django views, synchronous and asynchronous, under WSGI and ASGI."""

import functools
import inspect
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse

from keyfob.guard.blocking import blocking
from keyfob.guard.guard import Guard
from keyfob.guard.presented import Presented, from_asgi, from_wsgi
from keyfob.guard.refusal import refuse, text_headers
from keyfob.oauth import trusted_proxies
from keyfob.oauth.errors import OAuthError
from keyfob.oauth.trusted_proxies import Proxies


def require(
    guard: Guard, scope: str, *, resource_metadata: str | None = None, trusted_proxy: Proxies = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A decorator for a view: it runs only for a token with `scope`, which is then `request.access_token`.

    The view is exempt from the check of forged requests: that is for cookies, and no cookie admits anybody here.
    `trusted_proxy`: addresses and networks whose Client-Cert header tells the client's certificate (RFC 9440); nobody
    else's does.
    """
    judge, proxies = blocking(guard), trusted_proxies.read(trusted_proxy)

    def read(request: HttpRequest) -> Presented:
        route = "" if request.resolver_match is None else "/" + request.resolver_match.route
        asgi = getattr(request, "scope", None)
        if asgi is not None:
            return from_asgi(asgi, trusted_proxy=proxies, route=route)
        return from_wsgi(request.META, trusted_proxy=proxies, route=route)

    def answer(refused: OAuthError) -> HttpResponse:
        response = refuse(refused, scope=scope, resource_metadata=resource_metadata)
        headers = text_headers(response)
        return HttpResponse(response.body, status=response.status, headers=headers)

    def decorate(view: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(view)
        def guarded(request: Any, *args: Any, **options: Any) -> Any:
            try:
                request.access_token = judge.admit(read(request), scope)
            except OAuthError as refused:
                return answer(refused)
            return view(request, *args, **options)

        @functools.wraps(view)
        async def guarded_async(request: Any, *args: Any, **options: Any) -> Any:
            try:
                request.access_token = await judge.admit_soon(read(request), scope)
            except OAuthError as refused:
                return answer(refused)
            return await view(request, *args, **options)

        chosen: Any = guarded_async if inspect.iscoroutinefunction(view) else guarded
        chosen.csrf_exempt = True  # Django's own way to say so
        return chosen  # type: ignore[no-any-return]

    return decorate
