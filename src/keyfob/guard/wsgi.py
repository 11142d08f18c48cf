"""The guard in front of any WSGI application (PEP 3333)."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any

from keyfob.guard.blocking import blocking
from keyfob.guard.guard import Guard
from keyfob.guard.presented import from_wsgi
from keyfob.guard.refusal import refuse, text_headers
from keyfob.oauth import trusted_proxies
from keyfob.oauth.errors import OAuthError
from keyfob.oauth.trusted_proxies import Proxies

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
App = Callable[[Environ, StartResponse], Iterable[bytes]]


def protect(
    app: App, guard: Guard, scope: str, *, resource_metadata: str | None = None, trusted_proxy: Proxies = None
) -> App:
    """`app` behind the guard: every request needs `scope`; the token is then `environ["keyfob.access_token"]`.

    `trusted_proxy`: addresses and networks whose Client-Cert header tells the client's certificate (RFC 9440); nobody
    else's does.
    """
    judge, proxies = blocking(guard), trusted_proxies.read(trusted_proxy)

    def protected(environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        try:
            token = judge.admit(from_wsgi(environ, trusted_proxy=proxies), scope)
        except OAuthError as refused:
            response = refuse(refused, scope=scope, resource_metadata=resource_metadata)
            headers = {**text_headers(response), "content-length": str(len(response.body))}
            start_response(f"{response.status} {HTTPStatus(response.status).phrase}", list(headers.items()))
            return [response.body]
        environ["keyfob.access_token"] = token
        return app(environ, start_response)

    return protected
