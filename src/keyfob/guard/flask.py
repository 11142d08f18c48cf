"""The guard in front of Flask views."""

import functools
from collections.abc import Callable
from typing import Any, ParamSpec

from flask import Response, current_app, g, request

from keyfob.guard.blocking import blocking
from keyfob.guard.guard import Guard
from keyfob.guard.presented import from_wsgi
from keyfob.guard.refusal import refuse, text_headers
from keyfob.oauth import trusted_proxies
from keyfob.oauth.errors import OAuthError
from keyfob.oauth.trusted_proxies import Proxies

P = ParamSpec("P")


def require(
    guard: Guard, scope: str, *, resource_metadata: str | None = None, trusted_proxy: Proxies = None
) -> Callable[[Callable[P, Any]], Callable[P, Any]]:
    """A decorator for a view, below `@app.route`: it runs only for a token with `scope`, then `g.access_token`.

    `trusted_proxy`: addresses and networks whose Client-Cert header tells the client's certificate (RFC 9440); nobody
    else's does.
    """
    judge, proxies = blocking(guard), trusted_proxies.read(trusted_proxy)

    def decorate(view: Callable[P, Any]) -> Callable[P, Any]:
        @functools.wraps(view)
        def guarded(*args: P.args, **options: P.kwargs) -> Any:
            try:
                route = "" if request.url_rule is None else request.url_rule.rule
                presented = from_wsgi(request.environ, trusted_proxy=proxies, route=route)
                g.access_token = judge.admit(presented, scope)
            except OAuthError as refused:
                response = refuse(refused, scope=scope, resource_metadata=resource_metadata)
                answer = Response(response.body, response.status)
                answer.headers.update(text_headers(response))
                return answer
            return current_app.ensure_sync(view)(*args, **options)

        return guarded

    return decorate
