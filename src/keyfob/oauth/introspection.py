"""RFC 7662, RFC 9701: what an authorization server says of a token to whom it concerns."""

import json
from collections.abc import Mapping

from keyfob.oauth import authorization_details, scope
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.errors import InvalidRequest
from keyfob.oauth.wire import Headers, Response, values
from keyfob.secret import Secret

# RFC 7662 §4: no answer is cached: whoever read the cache would learn what the token may do.
_HEADERS = ((b"cache-control", b"no-store"), (b"pragma", b"no-cache"))
JWT_TYPE = "token-introspection+jwt"
MEDIA_TYPE = f"application/{JWT_TYPE}"


def read_request(form: Mapping[str, str]) -> Secret:
    """The token asked about. RFC 7662 §2.1: the hint is only a hint, and there is one kind of token here.

    Raises InvalidRequest.
    """
    token = form.get("token")
    # RFC 7662 §2.1: the token is required.
    if token is None:
        raise InvalidRequest("token is missing")
    return Secret(token)


def write_response(token: AccessToken | None) -> Response:
    """RFC 7662 §2.2. None: exactly `{"active":false}`, and never a reason."""
    body = json.dumps(_document(token), ensure_ascii=False, separators=(",", ":")).encode()
    return Response(200, ((b"content-type", b"application/json"), *_HEADERS), body)


def wants_signed(headers: Headers) -> bool:
    """RFC 9701 §4: whether the caller asks for a signed answer, which it can keep as evidence."""
    return any(
        part.split(b";")[0].strip().lower() == MEDIA_TYPE.encode()
        for value in values(headers, b"accept")
        for part in value.split(b",")
    )


def write_claims(token: AccessToken | None, *, issuer: str, audience: str, now: int) -> dict[str, object]:
    """RFC 9701 §5: the claims of a signed answer for `audience`, who asked. What it says stands in one claim alone,
    so that the answer can never be taken for the token.
    """
    return {"iss": issuer, "aud": audience, "iat": now, "token_introspection": _document(token)}


def write_signed(signed: Secret) -> Response:
    """RFC 9701 §5."""
    return Response(200, ((b"content-type", MEDIA_TYPE.encode()), *_HEADERS), signed.reveal_bytes())


def _document(token: AccessToken | None) -> dict[str, object]:
    if token is None:
        # RFC 7662 §2.2: of what is not active, nothing else is said.
        return {"active": False}
    document: dict[str, object] = {
        # RFC 7662 §2.2: what is active is said to be so.
        "active": True,
        "scope": scope.write(token.scope),
        "client_id": token.client_id,
        "token_type": "DPoP" if "jkt" in (token.confirmation or {}) else "Bearer",
        "exp": token.expires_at,
        "iat": token.issued_at,
        "sub": token.subject,
        "aud": token.audience,
        "iss": token.issuer,
        "jti": token.jti,
        "authorization_details": authorization_details.write_claim(token.authorization_details),
    }
    if token.confirmation is not None:
        document["cnf"] = dict(token.confirmation)
    return document
