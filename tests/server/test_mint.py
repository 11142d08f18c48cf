"""keyfob.server.mint: a grant as a token."""

from joserfc import jwk, jwt

from keyfob.jose import keys
from keyfob.server.authorize import Grant
from keyfob.server.mint import mint

GRANT = Grant("cl_1", "cr_1", "https://api.example", frozenset({"a:read"}), (), 300)


def test_a_token_is_the_clients_own_for_one_resource_and_a_short_time():
    """RFC 9068 §2.1, §2.2, §3, RFC 8707 §2, RFC 6750 §5.3, RFC 9700 §2.3, as a library that is not ours reads it."""
    key = keys.generate("ES256")
    issued = mint(GRANT, key, issuer="https://auth.example", now=1000, jti="j1")
    token = jwt.decode(issued.access_token.reveal(), jwk.import_key(key.public_jwk()), ["ES256"])
    assert token.header == {"alg": "ES256", "typ": "at+jwt", "kid": key.kid}
    assert token.claims == {
        "iss": "https://auth.example",
        "sub": "cl_1",
        "client_id": "cl_1",
        "aud": "https://api.example",
        "iat": 1000,
        "exp": 1300,
        "jti": "j1",
        "scope": "a:read",
        "authorization_details": [],
        "credential_id": "cr_1",
    }
    assert (issued.lifetime, issued.scope) == (300, GRANT.scope)
