"""A session with one API: HTTPS only, one resource, the least scope, no redirect followed, one retry after a 401.

`Session` for threads and `AsyncSession` for asyncio are two thin faces of the one authentication flow. What speaks HTTP
and what opens a vault is imported with the first session: a program that may never make a call does not wait for it.
"""

import contextlib
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import TYPE_CHECKING, Self, TypedDict, Unpack, cast

if TYPE_CHECKING:
    import ssl
    from types import TracebackType

    import httpx2

    from keyfob.partner.adapters.httpx2 import KeyfobAuth
    from keyfob.partner.authorizer import Authorizer
    from keyfob.partner.opening import AnyPath

_TIMEOUT, _CONNECT_TIMEOUT = 60, 10


class Sent(TypedDict, total=False):
    """What a request may carry, as in httpx2, and the `scope` that it needs where the API does not describe it."""

    scope: str | None
    params: dict[str, str]
    headers: dict[str, str]
    content: bytes | str | Iterable[bytes]
    json: object
    data: dict[str, str]


class _Carried(TypedDict, total=False):
    """What goes into the request itself."""

    params: dict[str, str]
    headers: dict[str, str]
    content: bytes | str | Iterable[bytes]
    json: object
    data: dict[str, str]


class _Bound:
    """What both faces share."""

    def __init__(self, authorizer: "Authorizer") -> None:
        self.authorizer = authorizer

    @property
    def resource(self) -> str:
        """The URL of the API that this session is bound to."""
        return self.authorizer.resource

    def __repr__(self) -> str:
        return f"{type(self).__name__}(resource={self.resource!r})"

    def _url(self, url: str) -> str:
        """An absolute URL as it is; `/v1/...` is taken below the resource."""
        return self.resource + url if url.startswith("/") and not url.startswith("//") else url

    def _auth(self, scope: str | None) -> "KeyfobAuth":
        from keyfob.oauth import scope as scopes
        from keyfob.partner.adapters.httpx2 import KeyfobAuth

        return KeyfobAuth(self.authorizer, scope=None if scope is None else scopes.parse(scope))


class Session(_Bound):
    """HTTP calls to one API with the vault's credential. Use one for many calls, from any number of threads.

    >>> from keyfob.partner import Session
    >>> with Session.open() as session:  # doctest: +SKIP
    ...     session.get("https://api.example/v1/studies").json()

    `scope="studies:read"` names the scope of a call that the API's /openapi.json does not describe. A response of
    400 and above is returned, not raised. Raises UnsafeCall for http:// or another API, before anything is sent.
    """

    def __init__(self, authorizer: "Authorizer", context: "ssl.SSLContext") -> None:
        import httpx2

        from keyfob.partner.transport import connecting

        super().__init__(authorizer)
        timeout = httpx2.Timeout(_TIMEOUT, connect=_CONNECT_TIMEOUT)
        with connecting():
            self._client = httpx2.Client(verify=context, timeout=timeout, follow_redirects=False)

    @classmethod
    def open(
        cls,
        client: str | None = None,
        vault: "AnyPath | None" = None,
        *,
        resource: str | None = None,
        ca: "AnyPath | None" = None,
        dpop: bool = False,
        secret_in_body: bool = False,
    ) -> Self:
        """A session from the vault: for `client` where it holds several, at `resource` where the client has several.

        `vault` is its folder, by default KEYFOB_VAULT or the user's own. `dpop` binds every token to a key of this
        session (RFC 9449); where the client is registered so, it is done by itself. `secret_in_body` is for a proxy
        that takes the Authorization header away. Nothing is opened or sent yet.
        """
        from keyfob.partner.opening import open_binding

        binding = open_binding(client, vault, resource=resource, ca=ca, dpop=dpop, secret_in_body=secret_in_body)
        return cls(binding.authorizer, binding.context)

    def request(self, method: str, url: str, **sent: Unpack[Sent]) -> "httpx2.Response":
        """The response to `method` at `url`, read to its end."""
        with self.stream(method, url, **sent) as response:
            with reaching(url):
                response.read()
            return response

    @contextlib.contextmanager
    def stream(self, method: str, url: str, **sent: Unpack[Sent]) -> "Iterator[httpx2.Response]":
        """The response with its body still to be read, for large downloads."""
        auth = self._auth(sent.get("scope"))
        with reaching(url):
            request = self._client.build_request(method, self._url(url), **_carried(sent))
            response = self._client.send(request, auth=auth, stream=True)
        try:
            yield response
        finally:
            response.close()

    def get(self, url: str, **sent: Unpack[Sent]) -> "httpx2.Response":
        """`request("GET", url)`."""
        return self.request("GET", url, **sent)

    def post(self, url: str, **sent: Unpack[Sent]) -> "httpx2.Response":
        """`request("POST", url)`."""
        return self.request("POST", url, **sent)

    def put(self, url: str, **sent: Unpack[Sent]) -> "httpx2.Response":
        """`request("PUT", url)`."""
        return self.request("PUT", url, **sent)

    def patch(self, url: str, **sent: Unpack[Sent]) -> "httpx2.Response":
        """`request("PATCH", url)`."""
        return self.request("PATCH", url, **sent)

    def delete(self, url: str, **sent: Unpack[Sent]) -> "httpx2.Response":
        """`request("DELETE", url)`."""
        return self.request("DELETE", url, **sent)

    def close(self) -> None:
        """Close the connections; the tokens are forgotten with the session."""
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: "TracebackType | None"
    ) -> None:
        self.close()


class AsyncSession(_Bound):
    """Session for asyncio tasks; what blocks (gpg, a passphrase) runs in a thread.

    >>> from keyfob.partner import AsyncSession
    >>> async def studies():
    ...     async with AsyncSession.open() as session:
    ...         return (await session.get("https://api.example/v1/studies")).json()
    """

    def __init__(self, authorizer: "Authorizer", context: "ssl.SSLContext") -> None:
        import httpx2

        from keyfob.partner.transport import connecting

        super().__init__(authorizer)
        timeout = httpx2.Timeout(_TIMEOUT, connect=_CONNECT_TIMEOUT)
        with connecting():
            self._client = httpx2.AsyncClient(verify=context, timeout=timeout, follow_redirects=False)

    @classmethod
    def open(
        cls,
        client: str | None = None,
        vault: "AnyPath | None" = None,
        *,
        resource: str | None = None,
        ca: "AnyPath | None" = None,
        dpop: bool = False,
        secret_in_body: bool = False,
    ) -> Self:
        """See Session.open."""
        from keyfob.partner.opening import open_binding

        binding = open_binding(client, vault, resource=resource, ca=ca, dpop=dpop, secret_in_body=secret_in_body)
        return cls(binding.authorizer, binding.context)

    async def request(self, method: str, url: str, **sent: Unpack[Sent]) -> "httpx2.Response":
        """The response to `method` at `url`, read to its end."""
        async with self.stream(method, url, **sent) as response:
            with reaching(url):
                await response.aread()
            return response

    @contextlib.asynccontextmanager
    async def stream(self, method: str, url: str, **sent: Unpack[Sent]) -> "AsyncIterator[httpx2.Response]":
        """The response with its body still to be read, for large downloads."""
        auth = self._auth(sent.get("scope"))
        with reaching(url):
            request = self._client.build_request(method, self._url(url), **_carried(sent))
            response = await self._client.send(request, auth=auth, stream=True)
        try:
            yield response
        finally:
            await response.aclose()

    async def get(self, url: str, **sent: Unpack[Sent]) -> "httpx2.Response":
        """`request("GET", url)`."""
        return await self.request("GET", url, **sent)

    async def post(self, url: str, **sent: Unpack[Sent]) -> "httpx2.Response":
        """`request("POST", url)`."""
        return await self.request("POST", url, **sent)

    async def put(self, url: str, **sent: Unpack[Sent]) -> "httpx2.Response":
        """`request("PUT", url)`."""
        return await self.request("PUT", url, **sent)

    async def patch(self, url: str, **sent: Unpack[Sent]) -> "httpx2.Response":
        """`request("PATCH", url)`."""
        return await self.request("PATCH", url, **sent)

    async def delete(self, url: str, **sent: Unpack[Sent]) -> "httpx2.Response":
        """`request("DELETE", url)`."""
        return await self.request("DELETE", url, **sent)

    async def aclose(self) -> None:
        """Close the connections; the tokens are forgotten with the session."""
        await self._client.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: "TracebackType | None"
    ) -> None:
        await self.aclose()


def _carried(sent: Sent) -> _Carried:
    carried = dict(sent)
    carried.pop("scope", None)
    return cast(_Carried, carried)


@contextlib.contextmanager
def reaching(url: str) -> Iterator[None]:
    """Says a failure of the network as Unreachable."""
    import httpx2

    from keyfob.partner.transport import unreachable

    try:
        yield
    except (httpx2.HTTPError, httpx2.InvalidURL) as failed:
        raise unreachable(url, failed) from failed
