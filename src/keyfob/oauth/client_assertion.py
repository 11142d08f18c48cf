"""RFC 7521 §4.2, RFC 7523 §2.2, §3: a signed statement of who a client (or a resource) is, in place of a secret."""

from collections.abc import Mapping
from dataclasses import dataclass

from keyfob.oauth.errors import InvalidClient

TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
JWT_TYPE = "client-authentication+jwt"
LIFETIME = 60
MAX_LIFETIME = 3600
LEEWAY = 30
_MAX_TEXT = 512
_MAX_DATE = 253402300799  # the end of the year 9999


@dataclass(frozen=True, slots=True)
class ClientAssertion:
    """Who speaks, and for how long. Dates in seconds since 1970; `jti` None where none was sent."""

    client_id: str
    expires_at: int
    jti: str | None


def write_claims(client_id: str, *, audience: str, now: int, jti: str) -> dict[str, object]:
    """RFC 7523 §3, with one audience: the issuer that is to believe it."""
    return {
        "iss": client_id,
        "sub": client_id,
        "aud": audience,
        "iat": now,
        "exp": now + LIFETIME,
        "jti": jti,
    }


def subject(unverified_claims: Mapping[str, object]) -> str:
    """Who an assertion says it speaks for: which keys to try. Raises InvalidClient."""
    value = unverified_claims.get("sub")
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_TEXT or not value.isprintable():
        raise InvalidClient(detail="the assertion's sub is missing or malformed")
    return value


def read_claims(
    claims: Mapping[str, object], *, client_id: str, audiences: frozenset[str], now: int, max_lifetime: int
) -> ClientAssertion:
    """The assertion, when it is `client_id`'s, for us, and good at `now`. Raises InvalidClient, reason in `detail`.

    `audiences`: what we are called, of which the assertion names exactly one (RFC 7523 §3: whoever shared an
    assertion with two servers could be impersonated by either).
    """
    # RFC 7523 §3, RFC 8725 §3.8: issuer and subject are the client itself.
    if claims.get("iss") != client_id or claims.get("sub") != client_id:
        raise InvalidClient(detail="the assertion's iss and sub are not the client")
    audience = claims.get("aud")
    if isinstance(audience, list) and len(audience) == 1:
        audience = audience[0]
    # RFC 7523 §3, RFC 8725 §3.9: an assertion is for this server alone.
    if not isinstance(audience, str) or audience not in audiences:
        raise InvalidClient(detail="the assertion's aud is not this issuer alone")
    expires_at = _date(claims, "exp")
    # RFC 7519 §4.1.4, RFC 7523 §3: `exp` itself is already too late.
    if now >= expires_at:
        raise InvalidClient(detail=f"the assertion expired {now - expires_at} s ago: is a clock wrong?")
    # RFC 7523 §3: an assertion that lives unreasonably long is refused.
    if expires_at > now + max_lifetime + LEEWAY:
        raise InvalidClient(detail=f"the assertion lives for more than {max_lifetime} s")
    for name in ("iat", "nbf"):
        # RFC 7519 §4.1.5, §4.1.6: an assertion is not good before its time.
        if name in claims and _date(claims, name) > now + LEEWAY:
            raise InvalidClient(detail=f"the assertion's {name} is in the future: is a clock wrong?")
    jti = claims.get("jti")
    if jti is not None and (not isinstance(jti, str) or not 0 < len(jti) <= _MAX_TEXT):
        raise InvalidClient(detail="the assertion's jti is malformed")
    return ClientAssertion(client_id, expires_at, jti)


def _date(claims: Mapping[str, object], name: str) -> int:
    value = claims.get(name)
    # RFC 7519 §2: a NumericDate may have a fraction. A bool is an int to Python only.
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _MAX_DATE:
        raise InvalidClient(detail=f"the assertion's {name} is missing or malformed")
    return int(value)
