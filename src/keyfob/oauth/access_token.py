"""RFC 9068: the claims of an access token, written and checked. Knows nothing of signatures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from keyfob.oauth import authorization_details
from keyfob.oauth import scope as scopes
from keyfob.oauth.authorization_details import Details
from keyfob.oauth.errors import InvalidAuthorizationDetails, InvalidScope, InvalidToken
from keyfob.oauth.scope import Scope

# RFC 9068 §2.1: an access token says in its header that it is one.
TYPE = "at+jwt"
LEEWAY = 30
"""Seconds by which the issuer's clock may run ahead of ours. Nothing is added to `exp`."""
_MAX_DATE = 253402300799  # the end of the year 9999


@dataclass(frozen=True, slots=True)
class AccessToken:
    """What a token says. Dates in seconds since 1970; `credential_id` names the credential that obtained it.

    `key_id` is of its header, not of its claims: the key that signed it.
    """

    issuer: str
    subject: str
    client_id: str
    audience: str
    issued_at: int
    expires_at: int
    jti: str
    scope: Scope
    authorization_details: Details
    credential_id: str | None = None
    confirmation: Mapping[str, str] | None = None
    key_id: str | None = None


def write_claims(token: AccessToken) -> dict[str, object]:
    """RFC 9068 §2.2; `aud` one string; authorization_details always written out (RFC 9396 §9.1)."""
    # RFC 9068 §2.2: a token holds the required claims.
    claims: dict[str, object] = {
        "iss": token.issuer,
        "sub": token.subject,
        "client_id": token.client_id,
        "aud": token.audience,
        "iat": token.issued_at,
        "exp": token.expires_at,
        "jti": token.jti,
        # RFC 9068 §2.2.3: a token holds its scope.
        "scope": scopes.write(token.scope),
        # RFC 9396 §9.1: a token holds its details, for the resource to enforce.
        "authorization_details": authorization_details.write_claim(token.authorization_details),
    }
    if token.credential_id is not None:
        claims["credential_id"] = token.credential_id
    if token.confirmation is not None:
        claims["cnf"] = dict(token.confirmation)
    return claims


def read_claims(
    unverified_claims: Mapping[str, object],
    *,
    issuer: str,
    audience: str | None,
    now: int,
    leeway: int = LEEWAY,
    key_id: str | None = None,
    read_details: Callable[[object], Details] = authorization_details.read_claim,
) -> AccessToken:
    """The token, when it is `issuer`'s for `audience` and good at `now`. Raises InvalidToken, reason in `detail`.

    `audience` None: whoever it is for. `read_details`: for who knows a quicker way to the same.

    RFC 9068 §4, RFC 7519 §4.1. Call it only with claims whose signature holds: jose.tokens does both.
    """
    claim = unverified_claims.get
    # RFC 9068 §4, RFC 7519 §4.1.1, RFC 8725 §3.8: a token is its issuer's, byte for byte.
    if claim("iss") != issuer:
        raise InvalidToken(detail="another issuer")
    # RFC 9068 §4, RFC 7519 §4.1.3, RFC 8725 §3.9, RFC 9700 §2.3: a token is for this resource.
    if audience is None:
        audience = _text("aud", claim("aud"))
    elif claim("aud") != audience:
        raise InvalidToken(detail="another audience")
    issued_at, expires_at = _date("iat", claim("iat")), _date("exp", claim("exp"))
    # RFC 7519 §4.1.4: `exp` itself is already too late.
    if now >= expires_at:
        raise InvalidToken(detail=f"expired {now - expires_at} s ago")
    begins = max(issued_at, _date("nbf", claim("nbf"))) if "nbf" in unverified_claims else issued_at
    # RFC 7519 §4.1.5, §4.1.6: a token is not good before its time, but for a little skew.
    if begins > now + leeway:
        raise InvalidToken(detail=f"begins in {begins - now} s: is a clock wrong?")
    return AccessToken(
        issuer,
        _text("sub", claim("sub")),
        _text("client_id", claim("client_id")),
        audience,
        issued_at,
        expires_at,
        _text("jti", claim("jti")),
        _scope(claim("scope")),
        # A missing claim never means all: no element permits anything.
        _details(claim("authorization_details", []), read_details),
        _text("credential_id", claim("credential_id")) if "credential_id" in unverified_claims else None,
        _confirmation(claim("cnf")) if "cnf" in unverified_claims else None,
        key_id,
    )


def _text(name: str, value: object) -> str:
    # RFC 9068 §2.2: a required claim is there, and is text.
    if not isinstance(value, str) or not 0 < len(value) <= 512:
        raise InvalidToken(detail=f"{name} is missing or malformed")
    return value


def _date(name: str, value: object) -> int:
    # RFC 7519 §2: a NumericDate may have a fraction. A bool is an int to Python only.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MAX_DATE:
        raise InvalidToken(detail=f"{name} is missing or malformed")
    return int(value)


def _scope(value: object) -> Scope:
    if not isinstance(value, str):
        raise InvalidToken(detail="scope is missing or malformed")
    try:
        return scopes.parse(value)
    except InvalidScope as malformed:
        raise InvalidToken(detail="scope is malformed") from malformed


def _details(value: object, read: Callable[[object], Details]) -> Details:
    try:
        return read(value)
    except InvalidAuthorizationDetails as malformed:
        raise InvalidToken(detail="authorization_details is malformed") from malformed


def _confirmation(value: object) -> Mapping[str, str]:
    if not isinstance(value, dict) or not value or not all(isinstance(v, str) for v in value.values()):
        raise InvalidToken(detail="cnf is malformed")
    return dict(value)
