"""RFC 9449: proof that whoever presents a token holds a private key; the claims of a proof, written and checked."""

import hashlib
import hmac
import re
from base64 import urlsafe_b64encode
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from keyfob.oauth import bearer
from keyfob.oauth.errors import OAuthError
from keyfob.oauth.wire import Headers, values
from keyfob.secret import Secret

TYPE = "dpop+jwt"
SCHEME = "DPoP"
MAX_AGE = 60
"""Seconds after its `iat` that a proof is good, and that its `jti` is remembered."""
LEEWAY = 30
NONCE_LIFETIME = 300
_MAX_TEXT = 512
_MAX_DATE = 253402300799  # the end of the year 9999
_DEFAULT_PORTS = {"https": 443, "http": 80}


class InvalidDpopProof(OAuthError):
    """RFC 9449 §5, §7.1: the proof is missing where one is needed, or does not hold."""

    code = "invalid_dpop_proof"

    def __init__(self, *, detail: str = "") -> None:
        super().__init__("the DPoP proof is missing or invalid", detail=detail)


class UseDpopNonce(OAuthError):
    """RFC 9449 §8: try again with the nonce that comes with this refusal."""

    code = "use_dpop_nonce"

    def __init__(self) -> None:
        super().__init__("a DPoP proof with the nonce of this answer is needed")


@dataclass(frozen=True, slots=True)
class Proof:
    """Who holds which key (`key_id`: RFC 7638 thumbprint, the `jkt` of a token), and the proof's single use."""

    key_id: str
    jti: str
    expires_at: int


def read(headers: Headers) -> tuple[Secret, Secret] | None:
    """Token and proof of a request to a resource (RFC 9449 §7.1); None when it presents no token in this way.

    Raises InvalidRequest, and InvalidDpopProof when there is a token but not exactly one proof.
    """
    found = values(headers, b"authorization")
    if len(found) != 1 or not found[0].lower().startswith(SCHEME.lower().encode() + b" "):
        return None
    proof = read_proof(headers)
    if proof is None:
        raise InvalidDpopProof(detail="the token came without a proof")
    return bearer.read_token(found[0]), proof


def read_proof(headers: Headers) -> Secret | None:
    """RFC 9449 §4.1: the one DPoP header; None when there is none. Raises InvalidDpopProof."""
    found = values(headers, b"dpop")
    if len(found) > 1:
        raise InvalidDpopProof(detail="more than one DPoP header")
    return Secret(found[0]) if found else None


def challenge(
    error: OAuthError | None, *, resource_metadata: str | None, algorithms: Sequence[str], scope: str | None = None
) -> bytes:
    """The WWW-Authenticate value of a resource that wants a proof (RFC 9449 §7.1)."""
    said = bearer.challenge(error, resource_metadata=resource_metadata, scope=scope, scheme=SCHEME)
    return said + b', algs="' + " ".join(algorithms).encode() + b'"'


def write_claims(
    *, method: str, url: str, now: int, jti: str, access_token: Secret | None = None, nonce: str | None = None
) -> dict[str, object]:
    """RFC 9449 §4.2."""
    claims: dict[str, object] = {"htm": method, "htu": _plain(url), "iat": now, "jti": jti}
    if access_token is not None:
        claims["ath"] = token_hash(access_token)
    if nonce is not None:
        claims["nonce"] = nonce
    return claims


def read_claims(
    claims: Mapping[str, object], *, key_id: str, method: str, url: str, now: int, access_token: Secret | None
) -> Proof:
    """The proof, when it is for this request and of this moment. Raises InvalidDpopProof, reason in `detail`.

    RFC 9449 §4.3. `access_token`: the one that comes with the request, at a resource; None at the token endpoint.
    """
    jti = claims.get("jti")
    if not isinstance(jti, str) or not 0 < len(jti) <= _MAX_TEXT:
        raise InvalidDpopProof(detail="jti is missing or malformed")
    if claims.get("htm") != method:
        raise InvalidDpopProof(detail="htm is another method")
    said = claims.get("htu")
    if not isinstance(said, str) or _normal(said) is None or _normal(said) != _normal(url):
        raise InvalidDpopProof(detail="htu is another URL")
    issued_at = claims.get("iat")
    # A NumericDate (RFC 7519 §2) may have a fraction. A bool is an int to Python only.
    if isinstance(issued_at, bool) or not isinstance(issued_at, int | float) or not 0 <= issued_at <= _MAX_DATE:
        raise InvalidDpopProof(detail="iat is missing or malformed")
    if not now - MAX_AGE < issued_at <= now + LEEWAY:
        raise InvalidDpopProof(detail=f"made {now - int(issued_at)} s ago: is a clock wrong?")
    if access_token is not None:
        said_hash = claims.get("ath")
        if not isinstance(said_hash, str) or not hmac.compare_digest(
            said_hash.encode(errors="replace"), token_hash(access_token).encode()
        ):
            raise InvalidDpopProof(detail="ath is not this token's")
    return Proof(key_id, jti, int(issued_at) + MAX_AGE + LEEWAY)


def token_hash(access_token: Secret) -> str:
    """RFC 9449 §4.2: `ath`."""
    return urlsafe_b64encode(hashlib.sha256(access_token.reveal_bytes()).digest()).rstrip(b"=").decode()


def new_nonce(key: Secret, now: int) -> str:
    """RFC 9449 §8: a nonce that any node which has `key` can check, and no node has to remember."""
    at = str(now)
    return f"{at}.{_nonce_mac(key, at)}"


def is_fresh(nonce: object, key: Secret, now: int) -> bool:
    """Whether `nonce` is one of ours, made less than NONCE_LIFETIME ago."""
    if not isinstance(nonce, str) or not (parts := re.fullmatch(r"([0-9]{1,12})\.([0-9a-f]{32})", nonce)):
        return False
    if not hmac.compare_digest(parts[2].encode(), _nonce_mac(key, parts[1]).encode()):
        return False
    return 0 <= now - int(parts[1]) < NONCE_LIFETIME


def _nonce_mac(key: Secret, at: str) -> str:
    return hmac.digest(key.reveal_bytes(), b"keyfob dpop nonce\0" + at.encode(), "sha256").hex()[:32]


def _plain(url: str) -> str:
    # RFC 9449 §4.2: a proof names the URL without query and fragment.
    return url.split("#")[0].split("?")[0]


def _normal(url: str) -> tuple[str, str, int, str] | None:
    """RFC 9449 §4.3, RFC 3986 §6.2.2, §6.2.3: two spellings of one URL; None for what is none, or has a query."""
    if "?" in url or "#" in url or len(url) > 2 * _MAX_TEXT:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme.lower() not in _DEFAULT_PORTS or not parts.hostname or "@" in parts.netloc:
        return None
    path = re.sub(r"%[0-9a-fA-F]{2}", lambda escape: escape[0].upper(), parts.path) or "/"
    return parts.scheme.lower(), parts.hostname, port or _DEFAULT_PORTS[parts.scheme.lower()], path
