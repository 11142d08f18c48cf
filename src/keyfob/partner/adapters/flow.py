"""The authentication flow that httpx and httpx2 share, and a callable that every library takes. Imports neither."""

from collections.abc import AsyncGenerator, Generator, MutableMapping, Sequence
from typing import Generic, Protocol, TypeVar

from keyfob.oauth.scope import Scope
from keyfob.partner.authorizer import Authorizer, asks_for_another_token, asks_for_nonce
from keyfob.partner.errors import UnsafeCall
from keyfob.partner.held import HeldToken

CREDENTIALS = ("Authorization", "DPoP")
"""The headers that are ours."""


class FlowRequest(Protocol):
    """What httpx.Request and httpx2.Request have in common."""

    @property
    def method(self) -> str: ...
    @property
    def url(self) -> object: ...
    @property
    def headers(self) -> MutableMapping[str, str]: ...


class FlowResponse(Protocol):
    """What httpx.Response and httpx2.Response have in common."""

    @property
    def status_code(self) -> int: ...
    @property
    def headers(self) -> MutableMapping[str, str]: ...
    @property
    def history(self) -> "Sequence[FlowResponse]": ...


Q = TypeVar("Q", bound=FlowRequest)
R = TypeVar("R", bound=FlowResponse)


class AuthFlow(Generic[Q, R]):
    """Puts a token on each request; answers one 401 `invalid_token` with one fresh token, where the body allows it."""

    requires_request_body = False
    requires_response_body = False

    def __init__(self, authorizer: Authorizer, *, scope: Scope | None = None) -> None:
        self._authorizer = authorizer
        self._scope = scope

    def sync_auth_flow(self, request: Q) -> Generator[Q, R, None]:
        """The flow for a synchronous client."""
        token = self._authorizer.token(request.method, str(request.url), self._scope)
        response = yield put(request, token)
        if token is not None and _wants_nonce(request, response, token):
            response = yield put(request, token)
        if token is not None and _wants_another(request, response):
            fresh = self._authorizer.token(request.method, str(request.url), self._scope, token)
            response = yield put(request, fresh)
            if fresh is not None and _wants_nonce(request, response, fresh):
                yield put(request, fresh)

    async def async_auth_flow(self, request: Q) -> AsyncGenerator[Q, R]:
        """The flow for an asyncio client."""
        token = await self._authorizer.token_async(request.method, str(request.url), self._scope)
        response = yield put(request, token)
        if token is not None and _wants_nonce(request, response, token):
            response = yield put(request, token)
        if token is not None and _wants_another(request, response):
            fresh = await self._authorizer.token_async(request.method, str(request.url), self._scope, token)
            response = yield put(request, fresh)
            if fresh is not None and _wants_nonce(request, response, fresh):
                yield put(request, fresh)


class CallableAuth:
    """`auth(request)` for httpx, httpx2 and requests alike: puts a token on, and knows nothing of the response.

    It blocks while a token is asked for: in asyncio use a class of `adapters.httpx` or `adapters.httpx2`.
    """

    def __init__(self, authorizer: Authorizer, *, scope: Scope | None = None) -> None:
        self._authorizer = authorizer
        self._scope = scope

    def __call__(self, request: Q) -> Q:
        return put(request, self._authorizer.token(request.method, str(request.url), self._scope))


def put(request: Q, token: HeldToken | None) -> Q:
    """`request` with the token in its header (RFC 6750 §2.1), and with no other credential.

    A token that is bound to a key gets a proof that is for this request alone (RFC 9449 §7.1).
    """
    headers = request.headers
    # RFC 6750 §2: a client sends one credential a request.
    for name in CREDENTIALS:
        headers.pop(name, None)
    if token is None:
        return request
    if token.prover is None:
        # RFC 6750 §2.1: a client sends its token in the header.
        headers["Authorization"] = f"Bearer {token.access_token.reveal()}"
    else:
        proof = token.prover.prove(request.method, str(request.url), token.access_token)
        # RFC 9449 §7.1: a bound token goes by its own scheme, each time with a new proof.
        headers["Authorization"] = f"DPoP {token.access_token.reveal()}"
        headers["DPoP"] = proof.reveal()
    return request


def learn(token: HeldToken, url: str, nonce: str | None) -> bool:
    """Whether an answer brought another nonce for the proofs of `token` (RFC 9449 §9): it is in the next one."""
    if token.prover is None or nonce is None:
        return False
    return token.prover.learn(url, ((b"dpop-nonce", nonce.encode("latin-1", "replace")),), with_token=True)


def _wants_nonce(request: FlowRequest, response: FlowResponse, token: HeldToken) -> bool:
    is_new = learn(token, str(request.url), response.headers.get("dpop-nonce"))
    asks = asks_for_nonce(response.status_code, response.headers.get("www-authenticate"))
    return is_new and asks and not _was_redirected(response) and _can_be_sent_again(request)


def _wants_another(request: FlowRequest, response: FlowResponse) -> bool:
    if _was_redirected(response):
        raise UnsafeCall(
            "redirect",
            "the API redirected, and the client followed with a token",
            hint="set follow_redirects=False: an API that checks tokens does not redirect",
        )
    is_refused = asks_for_another_token(response.status_code, response.headers.get("www-authenticate"))
    return is_refused and _can_be_sent_again(request)


def _was_redirected(response: FlowResponse) -> bool:
    """What came before an answer is also what this flow itself has made it answer once more."""
    return any(300 <= before.status_code < 400 for before in response.history)


def _can_be_sent_again(request: FlowRequest) -> bool:
    try:
        request.content  # type: ignore[attr-defined]  # noqa: B018  # raises when the body was a stream, now used up
    except RuntimeError:  # httpx.RequestNotRead
        return False
    return True
