"""RFC 9068 access tokens as signed JWTs. Signature and claims are one call: nobody ever holds unchecked claims."""

import functools
from collections.abc import Mapping

import msgspec

from keyfob.jose import compact, jws
from keyfob.jose.jws import Header, InvalidJws, Signer
from keyfob.jose.keys import KeySet, VerificationKey
from keyfob.oauth import access_token, authorization_details
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.authorization_details import Details
from keyfob.oauth.errors import InvalidToken
from keyfob.secret import Secret

MAX_TOKEN_BYTES = 8192
"""Before anything is parsed: an honest token with 4 kB of authorization details is shorter."""


class UnknownKey(InvalidToken):
    """The token names a key that the set does not hold: it may be newer than the set."""


def sign_access_token(claims: Mapping[str, object], key: Signer) -> Secret:
    """The claims as a compact JWS, `typ` at+jwt (RFC 9068 §2.1)."""
    return jws.sign(claims, key, header=key.protected)


def verify_access_token(token: Secret, keys: KeySet, *, issuer: str, audience: str | None, now: int) -> AccessToken:
    """The token of `issuer` for `audience`, good at `now`; else InvalidToken, with the reason for the operator alone.

    RFC 9068 §4. `audience` None: whoever it is for, which only the issuer itself may ask.
    """
    try:
        header, claims = jws.verify(token, lambda header: (_key_for(header, keys),), max_bytes=MAX_TOKEN_BYTES)
    except InvalidJws as invalid:
        raise InvalidToken(detail=f"the token cannot be believed: {invalid}") from invalid
    return access_token.read_claims(
        claims, issuer=issuer, audience=audience, now=now, key_id=str(header["kid"]), read_details=_read_details
    )


def _read_details(value: object) -> Details:
    """As authorization_details.read_claim; what comes with every token of a client is read, and kept, once."""
    return _read_written(msgspec.json.encode(value))


@functools.lru_cache(maxsize=1024)
def _read_written(document: bytes) -> Details:
    return authorization_details.read_claim(msgspec.json.decode(document))


def read_unverified_issuer(token: Secret) -> str:
    """Whose token it says it is: to choose the keys that it is then verified with, and for nothing else.

    Raises InvalidToken.
    """
    parts = token.reveal_bytes().split(b".")
    if len(parts) == 3 and len(parts[1]) <= MAX_TOKEN_BYTES:
        try:
            unverified = compact.decode_json(compact.decode(parts[1]))
        except ValueError:
            unverified = None
        if isinstance(unverified, dict) and isinstance(unverified.get("iss"), str):
            return str(unverified["iss"])
    raise InvalidToken(detail="the token says no issuer")


def _key_for(header: Header, keys: KeySet) -> VerificationKey:
    # RFC 9068 §4, RFC 8725 §3.11, §3.12: a JWT for another use is no access token.
    if not jws.has_type(header, access_token.TYPE):
        raise InvalidToken(detail="typ is not at+jwt")
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise InvalidToken(detail="the header names no key")
    found = keys.keys.get(kid)
    if found is None:
        raise UnknownKey(detail="no key of the issuer has this kid")
    return found
