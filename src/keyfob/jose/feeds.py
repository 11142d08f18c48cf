"""Revocation feeds as signed JWTs, under a key of their own: signature and claims are one call."""

from keyfob.jose import jws
from keyfob.jose.jws import Header, InvalidJws, Signer
from keyfob.jose.keys import KeySet, VerificationKey
from keyfob.oauth import revocation_feed
from keyfob.oauth.revocation_feed import Feed, MalformedFeed
from keyfob.secret import Secret

MAX_BYTES = 4 * 1024 * 1024


class UnknownFeedKey(MalformedFeed):
    """The feed names a key that the issuer's metadata did not list: it may be newer."""


def sign_feed(feed: Feed, key: Signer, *, issuer: str, audience: str) -> bytes:
    claims = revocation_feed.write_claims(feed, issuer=issuer, audience=audience)
    return jws.sign(claims, key, header=key.header(revocation_feed.JWT_TYPE)).reveal_bytes()


def verify_feed(document: bytes, keys: KeySet, *, issuer: str, audience: str, now: int) -> Feed:
    """The feed, when the issuer signed it for `audience` a moment ago. Raises MalformedFeed."""
    try:
        _, claims = jws.verify(Secret(document), lambda header: (_key_for(header, keys),), max_bytes=MAX_BYTES)
    except InvalidJws as invalid:
        raise MalformedFeed(f"the feed cannot be believed: {invalid}") from invalid
    return revocation_feed.read_claims(claims, issuer=issuer, audience=audience, now=now)


def _key_for(header: Header, keys: KeySet) -> VerificationKey:
    # RFC 8725 §3.11, §3.12: a JWT for another use is no feed.
    if not jws.has_type(header, revocation_feed.JWT_TYPE):
        raise MalformedFeed("typ is not that of a feed")
    found = keys.keys.get(str(header.get("kid")))
    if found is None:
        raise UnknownFeedKey("the feed names a key that the metadata does not list")
    return found
