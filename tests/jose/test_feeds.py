"""keyfob.jose.feeds: the revocation feed with its signature."""

import pytest

from keyfob.jose import jws, keys
from keyfob.jose.feeds import UnknownFeedKey, sign_feed, verify_feed
from keyfob.jose.keys import KeySet
from keyfob.oauth import revocation_feed
from keyfob.oauth.revocation_feed import Feed, MalformedFeed

ISSUER = "https://auth.example"
AUDIENCE = "https://api.example"
NOW = 1_000_000
KEY = keys.generate("ES256")
KEYS = KeySet.parse(keys.write_jwks([KEY.public_jwk()]))
FEED = Feed(since=0, sequence=3, issued_at=NOW, revocations=())


def verify(document: bytes):
    return verify_feed(document, KEYS, issuer=ISSUER, audience=AUDIENCE, now=NOW)


def test_a_feed_comes_back_as_it_was_signed():
    assert verify(sign_feed(FEED, KEY, issuer=ISSUER, audience=AUDIENCE)) == FEED


@pytest.mark.parametrize("kind", ["at+jwt", "JWT", "client-authentication+jwt"])
def test_what_was_signed_for_another_use_is_no_feed(kind: str):
    """RFC 8725 §3.11, §3.12."""
    claims = revocation_feed.write_claims(FEED, issuer=ISSUER, audience=AUDIENCE)
    with pytest.raises(MalformedFeed):
        verify(jws.sign(claims, KEY, header=KEY.header(kind)).reveal_bytes())


def test_another_key_may_only_be_newer():
    with pytest.raises(UnknownFeedKey):
        verify(sign_feed(FEED, keys.generate("ES256"), issuer=ISSUER, audience=AUDIENCE))
