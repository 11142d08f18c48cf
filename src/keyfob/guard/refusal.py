"""RFC 6750 §3 and RFC 9457: how a resource says no."""

import json
import logging
from http import HTTPStatus

from keyfob.guard.errors import IssuerUnavailable, MissingToken, RefusedBoundToken, RefusedNonce, RefusedProof
from keyfob.jose.algorithms import ALGORITHMS
from keyfob.oauth import bearer, dpop
from keyfob.oauth.errors import InsufficientScope, OAuthError
from keyfob.oauth.wire import Response

_log = logging.getLogger("keyfob.guard")

SCOPE_NEEDED = b"keyfob-scope-needed"
"""The scope that the route needs, as a request parameter `scope` says it (RFC 6749 §3.3)."""


def refuse(
    error: OAuthError, *, scope: str | None, resource_metadata: str | None = None, error_id: str | None = None
) -> Response:
    """`refusal`, and a line in the log that holds the reason."""
    _log.info("request_refused code=%s detail=%s id=%s", error.code or "missing_token", error.detail, error_id)
    return refusal(error, scope=scope, resource_metadata=resource_metadata, error_id=error_id)


def refusal(
    error: OAuthError,
    *,
    scope: str | None = None,
    resource_metadata: str | None = None,
    error_id: str | None = None,
) -> Response:
    """The response to a request that `admit` refused: the challenge, a problem document, never cached.

    `scope`: what the route needs, which every challenge then names, so that a client knows what to ask for; so does the
    header Keyfob-Scope-Needed, also where there is no challenge.
    `resource_metadata`: the URL of the RFC 9728 document, which the challenge then names (RFC 9728 §5.1).
    """
    # RFC 6750 §3.1: a refusal for lack of scope names the scope that is needed.
    if isinstance(error, InsufficientScope):
        scope = error.scope
    problem: dict[str, object] = {
        "type": "about:blank",
        "title": HTTPStatus(error.status).phrase,
        "status": error.status,
        "code": error.code or "missing_token",
        "detail": error.description,
    }
    if error_id is not None:
        problem["error_id"] = error_id
    headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store")]
    if scope is not None:
        problem["scope"] = scope
        headers.append((SCOPE_NEEDED, scope.encode()))
    if isinstance(error, IssuerUnavailable):
        headers.append((b"retry-after", str(error.retry_after).encode()))
    else:
        # RFC 6750 §3.1: no error code when no token came.
        said = None if isinstance(error, MissingToken) else error
        if isinstance(error, RefusedProof | RefusedBoundToken | RefusedNonce):
            challenge = dpop.challenge(
                said, resource_metadata=resource_metadata, algorithms=tuple(ALGORITHMS), scope=scope
            )
        else:
            challenge = bearer.challenge(said, resource_metadata=resource_metadata, scope=scope)
        # RFC 6750 §3: a challenge stands in every refusal.
        headers.append((b"www-authenticate", challenge))
    if isinstance(error, RefusedNonce):
        # RFC 9449 §9: with this nonce the client may try again at once.
        headers.append((b"dpop-nonce", error.nonce.encode()))
    return Response(error.status, tuple(headers), json.dumps(problem).encode())


def text_headers(response: Response) -> dict[str, str]:
    """The headers as frameworks take them."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in response.headers}
