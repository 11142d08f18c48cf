"""`requests.auth.AuthBase`. `requests` itself is the caller's dependency."""

from typing import Any, Protocol, cast

import requests
from requests.auth import AuthBase

from keyfob.oauth.scope import Scope
from keyfob.partner.adapters.flow import CREDENTIALS, learn, put
from keyfob.partner.authorizer import Authorizer, asks_for_another_token, asks_for_nonce
from keyfob.partner.held import HeldToken


class _Seekable(Protocol):
    def tell(self) -> int: ...
    def seek(self, position: int) -> int: ...


class KeyfobAuth(AuthBase):
    """`requests.get(url, auth=KeyfobAuth(authorizer))`: a token of the least scope on each request to the resource.

    >>> import requests
    >>> from keyfob.partner import open_authorizer
    >>> from keyfob.partner.adapters.requests import KeyfobAuth
    >>> auth = KeyfobAuth(open_authorizer())  # doctest: +SKIP
    >>> requests.get("https://api.example/v1/studies", auth=auth).json()  # doctest: +SKIP
    """

    def __init__(self, authorizer: Authorizer, *, scope: Scope | None = None) -> None:
        self._authorizer = authorizer
        self._scope = scope

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        """Puts the token on, and stays to see the response."""
        token = self._token(request, None)
        put(_Prepared(request), token)
        start = _position(request)

        def answered(response: requests.Response, **options: object) -> requests.Response:
            return self._answered(response, token, start, options)

        request.register_hook("response", answered)  # type: ignore[no-untyped-call]  # untyped in types-requests
        return request

    def _token(self, request: requests.PreparedRequest, refused: HeldToken | None) -> HeldToken | None:
        return self._authorizer.token(request.method or "", request.url or "", self._scope, refused)

    def _answered(
        self, response: requests.Response, token: HeldToken | None, start: int | None, options: dict[str, object]
    ) -> requests.Response:
        # requests copies the request's headers when it follows a redirect: from here on there is nothing to copy.
        _strip(response.request)
        if token is None:
            return response
        response = self._with_nonce(response, token, start, options)
        asks = asks_for_another_token(response.status_code, response.headers.get("www-authenticate"))
        if not asks or not _can_be_sent_again(response.request, start):
            return response
        fresh = self._token(response.request, token)
        if fresh is None:
            return response
        return self._with_nonce(self._sent_again(response, fresh, start, options), fresh, start, options)

    def _with_nonce(
        self, response: requests.Response, token: HeldToken, start: int | None, options: dict[str, object]
    ) -> requests.Response:
        """`response`, or the answer to the same request with the nonce that it wants."""
        nonce, challenge = (response.headers.get(name) for name in ("dpop-nonce", "www-authenticate"))
        is_new = learn(token, response.request.url or "", nonce)
        asks = asks_for_nonce(response.status_code, challenge)
        if not is_new or not asks or not _can_be_sent_again(response.request, start):
            return response
        return self._sent_again(response, token, start, options)

    def _sent_again(
        self, response: requests.Response, token: HeldToken, start: int | None, options: dict[str, object]
    ) -> requests.Response:
        """The answer to the same request with `token`."""
        sent = response.request
        response.content  # noqa: B018  # read to the end, so that the connection can be used again
        response.close()
        again = sent.copy()
        again.hooks = {"response": []}
        if start is not None:
            cast(_Seekable, again.body).seek(start)
        put(_Prepared(again), token)
        adapter: Any = response.connection  # set by requests' HTTPAdapter, as its own Digest authentication uses it
        answer: requests.Response = adapter.send(again, **options)
        _strip(again)
        answer.history.append(response)
        answer.request = again
        return answer


def _can_be_sent_again(request: requests.PreparedRequest, start: int | None) -> bool:
    """A stream cannot: it is used up."""
    return start is not None or isinstance(request.body, str | bytes | None)


def _strip(request: requests.PreparedRequest) -> None:
    for name in CREDENTIALS:
        request.headers.pop(name, None)


class _Prepared:
    """A prepared request as `put` wants it."""

    def __init__(self, request: requests.PreparedRequest) -> None:
        self.method = request.method or ""
        self.url: object = request.url
        self.headers = request.headers


def _position(request: requests.PreparedRequest) -> int | None:
    """Where the body begins, if it is a file that can be sent again."""
    try:
        return cast(_Seekable, request.body).tell()
    except (AttributeError, OSError):
        return None
