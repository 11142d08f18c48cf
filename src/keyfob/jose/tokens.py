"""RFC 9068 access tokens as signed JWTs. Signature and claims are one call: nobody ever holds unchecked claims."""

from collections.abc import Mapping

import msgspec
from cryptography.exceptions import InvalidSignature

from keyfob.jose.compact import decode, encode
from keyfob.jose.keys import KeySet, SigningKey, VerificationKey
from keyfob.oauth import access_token, strict_json
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.errors import InvalidToken
from keyfob.secret import Secret

MAX_TOKEN_BYTES = 8192
"""Before anything is parsed: an honest token with 4 kB of authorization details is shorter."""


class UnknownKey(InvalidToken):
    """The token names a key that the set does not hold: it may be newer than the set."""


def sign_access_token(claims: Mapping[str, object], key: SigningKey) -> Secret:
    """The claims as a compact JWS, `typ` at+jwt (RFC 9068 §2.1)."""
    signing_input = key.protected + b"." + encode(msgspec.json.encode(claims))
    signature = key.algorithm.sign(key.private_key, signing_input)
    return Secret(signing_input + b"." + encode(signature))


def verify_access_token(token: Secret, keys: KeySet, *, issuer: str, audience: str, now: int) -> AccessToken:
    """The token of `issuer` for `audience`, good at `now`; else InvalidToken, with the reason for the operator alone.

    RFC 9068 §4, RFC 8725: the algorithm is the key's and never the token's choice; keys inside the token are ignored;
    one spelling of each token.
    """
    text = token.reveal_bytes()
    if len(text) > MAX_TOKEN_BYTES:
        raise InvalidToken(detail="the token is too long")
    parts = text.split(b".")
    if len(parts) != 3:
        raise InvalidToken(detail="the token is not a compact JWS")
    try:
        header, claims, signature = strict_json.parse(decode(parts[0])), decode(parts[1]), decode(parts[2])
    except ValueError as broken:
        raise InvalidToken(detail="the token's parts cannot be decoded") from broken
    key = _key_for(header, keys)
    try:
        key.algorithm.verify(key.public_key, text.rpartition(b".")[0], signature)
    except InvalidSignature as wrong:
        raise InvalidToken(detail="the signature does not verify") from wrong
    try:
        unverified_claims = strict_json.parse(claims)
    except ValueError as broken:
        raise InvalidToken(detail="the claims are not strict JSON") from broken
    if not isinstance(unverified_claims, dict):
        raise InvalidToken(detail="the claims are no object")
    return access_token.read_claims(unverified_claims, issuer=issuer, audience=audience, now=now)


def _key_for(header: object, keys: KeySet) -> VerificationKey:
    if not isinstance(header, dict):
        raise InvalidToken(detail="the header is no object")
    kind = header.get("typ")
    # RFC 9068 §4: at+jwt, with or without the media type's prefix, in any case (RFC 7515 §4.1.9).
    if not isinstance(kind, str) or kind.lower() not in ("at+jwt", "application/at+jwt"):
        raise InvalidToken(detail="typ is not at+jwt")
    if "crit" in header or "b64" in header:
        raise InvalidToken(detail="the header demands an extension (RFC 7515 §4.1.11)")
    kid = header.get("kid")
    if not isinstance(kid, str):
        raise InvalidToken(detail="the header names no key")
    found = keys.keys.get(kid)
    if found is None:
        raise UnknownKey(detail="no key of the issuer has this kid")
    # RFC 8725 §3.1: one key, one algorithm. A token cannot choose another.
    if header.get("alg") != found.algorithm.name:
        raise InvalidToken(detail="the token's alg is not its key's")
    return found
