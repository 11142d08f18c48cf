"""keyfob.jose.assertions: RFC 7523 §3 with signatures."""

import pytest

from keyfob.jose import jws, keys
from keyfob.jose.assertions import sign_assertion, verify_assertion
from keyfob.jose.client_keys import ClientKeys
from keyfob.oauth import client_assertion
from keyfob.oauth.errors import InvalidClient

ISSUER = "https://auth.example"
NOW = 1_000_000
KEY = keys.generate("ES256")
KEYS = ClientKeys.parse(keys.write_jwks([KEY.public_jwk()]))


def verify(assertion, key_set=KEYS):
    return verify_assertion(
        assertion, key_set, client_id="cl_1", audiences=frozenset({ISSUER}), now=NOW, max_lifetime=300
    )


def signed(kind: str, key=KEY):
    claims = client_assertion.write_claims("cl_1", audience=ISSUER, now=NOW, jti="j")
    return jws.sign(claims, key, header=key.header(kind))


def test_what_was_signed_is_believed():
    """RFC 7523 §3."""
    assert verify(sign_assertion("cl_1", KEY, audience=ISSUER, now=NOW, jti="j")).jti == "j"
    assert verify(signed("JWT")).client_id == "cl_1"


@pytest.mark.parametrize("kind", ["at+jwt", "revocations+jwt", "dpop+jwt", "logout+jwt", ""])
def test_what_was_signed_for_another_use_is_no_assertion(kind: str):
    """RFC 8725 §3.11, §3.12."""
    with pytest.raises(InvalidClient):
        verify(signed(kind))


def test_a_stranger_is_not_believed():
    """RFC 7523 §3, RFC 8725 §3.3."""
    with pytest.raises(InvalidClient):
        verify(signed("JWT", keys.generate("ES256")))
