"""HTTPS as this partner speaks it to an issuer: verified, no redirect, bounded, one short connection a request.

A token is asked for once in minutes, so no connection is kept, and nothing is bound to an event loop.
"""

import contextlib
import ssl
from collections.abc import Iterator
from typing import TYPE_CHECKING

from keyfob import shown_chain
from keyfob.oauth.wire import Response
from keyfob.partner.errors import Unreachable
from keyfob.partner.steps import Request
from keyfob.secret import Secret

if TYPE_CHECKING:
    import httpx2

_TIMEOUT = 15
_HINT_AUTHORITY = (
    "name the certificate authority that the operator gave you: --ca FILE or KEYFOB_CA_FILE; if the issuer of the "
    "chain is your own organisation's, a proxy opens your TLS: have it leave this host alone, or name its authority"
)
# OpenSSL's words for what --ca cannot mend.
_CERTIFICATE_HINTS = (
    ("has expired", "the operator must renew it; check this machine's clock, too"),
    ("not yet valid", "check this machine's clock; if it is right, tell the operator"),
    ("ostname mismatch", "it is another server's: check the address, or tell the operator"),
    ("IP address mismatch", "it is another server's: check the address, or tell the operator"),
)


_HINT_PROXY = "HTTPS_PROXY=http://HOST:PORT, by CONNECT; what is reached without it stands in NO_PROXY"


class HttpsTransport:
    """Sends requests over `context`, which keyfob.tls made. Proxies come from the environment (CONNECT only)."""

    def __init__(self, context: ssl.SSLContext, *, timeout: int = _TIMEOUT) -> None:
        self._context = context
        self._timeout = timeout

    def send(self, request: Request) -> Response:
        """The response to `request`. Raises Unreachable."""
        import httpx2

        with connecting():
            client = httpx2.Client(verify=self._context, timeout=self._timeout)
        try:
            with (
                client,
                client.stream(
                    request.method, _https(request), headers=_headers(request), content=_content(request)
                ) as response,
            ):
                body = bytearray()
                for chunk in response.iter_bytes():
                    body += chunk
                    _check_size(body, request)
                return _response(response, body)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as failed:
            raise unreachable(request.url, failed) from failed

    async def send_async(self, request: Request) -> Response:
        """The response to `request`. Raises Unreachable."""
        import httpx2

        with connecting():
            client = httpx2.AsyncClient(verify=self._context, timeout=self._timeout)
        try:
            async with (
                client,
                client.stream(
                    request.method, _https(request), headers=_headers(request), content=_content(request)
                ) as response,
            ):
                body = bytearray()
                async for chunk in response.aiter_bytes():
                    body += chunk
                    _check_size(body, request)
                return _response(response, body)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as failed:
            raise unreachable(request.url, failed) from failed


@contextlib.contextmanager
def connecting() -> Iterator[None]:
    """Says what is wrong with the proxies of the environment, which are read when a client is made, as Unreachable."""
    try:
        yield
    except (ImportError, ValueError):
        # Without the cause: a proxy's URL may hold a password.
        raise Unreachable("proxy", "the proxy of the environment cannot be used", hint=_HINT_PROXY) from None


def unreachable(url: str, failed: Exception) -> Unreachable:
    """`failed` as a Problem that names the server and, for a certificate, what to do. Never the query."""
    from httpx2 import URL, InvalidURL

    _forget_frames(failed)
    try:
        host = URL(url).netloc.decode()
    except InvalidURL:
        host = "the server"
    reason = str(failed) or type(failed).__name__
    if "CERTIFICATE_VERIFY_FAILED" in reason:
        detail = reason.partition("verify failed: ")[2].partition(" (_ssl")[0]
        shown = shown_chain.find(failed)
        return Unreachable(
            "certificate-not-trusted",
            f"the certificate of {host} is not trusted: {detail or reason}"
            + ("" if shown is None else f"; its chain is issued by {shown}"),
            hint=next((hint for words, hint in _CERTIFICATE_HINTS if words in detail), _HINT_AUTHORITY),
        )
    return Unreachable(
        "unreachable", f"{host} does not answer over HTTPS: {reason}", hint="check the address, the network, the proxy"
    )


def _forget_frames(failed: BaseException | None) -> None:
    """Their local variables hold the headers as they were sent, and some programs print those with a traceback."""
    while failed is not None:
        failed.__traceback__ = None
        failed = failed.__cause__ or failed.__context__


def _https(request: Request) -> str:
    if not request.url.startswith("https://"):
        raise Unreachable(
            "plain-http", "only https:// is spoken here", hint="ask the operator for the https:// address"
        )
    return request.url


def _headers(request: Request) -> list[tuple[str, str]]:
    headers = list(request.headers)
    if request.authorization is not None:
        headers.append(("authorization", request.authorization.reveal()))
    if request.dpop is not None:
        headers.append(("dpop", request.dpop.reveal()))
    return headers


def _content(request: Request) -> bytes:
    return request.body.reveal_bytes() if isinstance(request.body, Secret) else request.body


def _check_size(body: bytearray, request: Request) -> None:
    if len(body) > request.max_response_bytes:
        raise Unreachable(
            "response-too-large",
            f"the answer is larger than {request.max_response_bytes} bytes",
            hint="check that the address is the right one",
        )


def _response(response: "httpx2.Response", body: bytearray) -> Response:
    headers = tuple((name.lower(), value) for name, value in response.headers.raw)
    return Response(response.status_code, headers, bytes(body))
