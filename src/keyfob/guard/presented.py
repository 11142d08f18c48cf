"""A request as the guard sees it, whatever framework it came through: a value made once, judged once."""

import logging
from collections.abc import MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from keyfob.guard.guard import Guard
from keyfob.oauth import asgi_tls, trusted_proxies
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.client_cert_header import MalformedClientCert
from keyfob.oauth.mutual_tls import PresentedCertificate
from keyfob.oauth.trusted_proxies import Proxies
from keyfob.oauth.wire import Headers

_log = logging.getLogger("keyfob.guard")

# What a path may hold unencoded (RFC 3986 §3.3).
_PATH_CHARACTERS = "/:@!$&'()*+,;=~-._"


@dataclass(frozen=True, slots=True)
class Presented:
    """`path` is percent-encoded, as it came; `certificate` the client's, by the handshake or by a trusted proxy."""

    headers: Headers
    query_string: bytes
    method: str
    path: bytes
    certificate: PresentedCertificate | None = None
    route: str = ""
    """The template of the route, where the framework tells."""

    async def admit(self, guard: Guard, scope: str) -> AccessToken:
        """Raises what `Guard.admit` raises."""
        return await guard.admit(
            self.headers,
            self.query_string,
            scope,
            method=self.method,
            path=self.path,
            certificate=self.certificate,
            route=self.route,
        )

    def recall(self, guard: Guard, scope: str) -> AccessToken | None:
        """See `Guard.recall`."""
        return guard.recall(self.headers, self.query_string, scope, path=self.path)

    async def identify(self, guard: Guard) -> AccessToken:
        """Raises what `Guard.identify` raises."""
        return await guard.identify(
            self.headers, self.query_string, method=self.method, path=self.path, certificate=self.certificate
        )


def from_asgi(scope: MutableMapping[str, Any], *, trusted_proxy: Proxies = None, route: str | None = None) -> Presented:
    """The request of an ASGI `scope`. `route`: its template, where that is not in the scope as Starlette puts it."""
    # A server may leave raw_path away: then the path is encoded anew, and what was an encoded slash is not seen.
    path = scope.get("raw_path") or quote(str(scope["path"]), safe=_PATH_CHARACTERS).encode()
    certificate = presented_certificate(scope, trusted_proxy=trusted_proxy)
    template = str(getattr(scope.get("route"), "path", "")) if route is None else route
    return Presented(scope["headers"], scope["query_string"], scope["method"], path, certificate, template)


def from_wsgi(environ: dict[str, Any], *, trusted_proxy: Proxies = None, route: str = "") -> Presented:
    """The request of a WSGI `environ` (PEP 3333)."""
    headers = tuple(
        (name[5:].replace("_", "-").lower().encode("latin-1"), str(value).encode("latin-1"))
        for name, value in environ.items()
        if name.startswith("HTTP_")
    )
    asgi = {
        "client": (environ.get("REMOTE_ADDR", ""), 0),
        "headers": headers,
        "extensions": {"tls": {"client_cert_chain": _chain(environ)}},
    }
    query = str(environ.get("QUERY_STRING", "")).encode("latin-1")
    certificate = presented_certificate(asgi, trusted_proxy=trusted_proxy)
    return Presented(headers, query, environ["REQUEST_METHOD"], _raw_path(environ), certificate, route)


def _chain(environ: dict[str, Any]) -> tuple[str, ...]:
    # Apache's and uWSGI's name. Only the server itself can set one: a client's header would begin with HTTP_.
    pem = environ.get("SSL_CLIENT_CERT")
    return (pem,) if pem and environ.get("SSL_CLIENT_VERIFY", "SUCCESS") == "SUCCESS" else ()


def _raw_path(environ: dict[str, Any]) -> bytes:
    """As it came, where the server tells (gunicorn, uWSGI, Werkzeug, mod_wsgi); else encoded anew."""
    for name in ("RAW_URI", "REQUEST_URI"):
        target = environ.get(name)
        if target:
            if "://" in target.partition("?")[0]:  # RFC 9112 §3.2.2: the absolute form
                target = "/" + target.split("://", 1)[1].partition("/")[2]
            return str(target).partition("?")[0].encode("latin-1")
    decoded = str(environ.get("SCRIPT_NAME", "")) + str(environ.get("PATH_INFO", ""))
    return quote(decoded.encode("latin-1"), safe=_PATH_CHARACTERS).encode()


def presented_certificate(
    asgi: MutableMapping[str, Any], *, trusted_proxy: Proxies = None
) -> PresentedCertificate | None:
    """The client's certificate, for `Guard.admit`: from the ASGI server's TLS extension, or from `trusted_proxy`,
    addresses and networks.

    None when there is none, or when what there is cannot be read: no token that is bound to one is admitted then.
    """
    try:
        return asgi_tls.presented_certificate(asgi, trusted_proxies=trusted_proxies.read(trusted_proxy))
    except MalformedClientCert as malformed:
        _log.error("client_certificate_unreadable reason=%s", malformed)
        return None
