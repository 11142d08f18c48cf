"""keyfob.jose.client_keys and assertions: RFC 7523 §3, as real clients write them and as attackers would."""

import base64
import datetime
import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwk, jwt

from keyfob.jose import keys
from keyfob.jose.assertions import sign_assertion, verify_assertion
from keyfob.jose.client_keys import MAX_KEYS, ClientKeys
from keyfob.jose.compact import encode
from keyfob.jose.keys import MalformedKeySet
from keyfob.oauth.errors import InvalidClient
from keyfob.secret import Secret

ISSUER, ENDPOINT = "https://auth.example", "https://auth.example/oauth2/token"
NOW = 1_000_000
KEY = keys.generate("ES256")
CLAIMS = {"iss": "cl_1", "sub": "cl_1", "aud": ISSUER, "iat": NOW, "exp": NOW + 60, "jti": "1"}


def registered(*members: dict[str, object]) -> ClientKeys:
    return ClientKeys.parse(json.dumps({"keys": members or (KEY.public_jwk(),)}).encode())


def without(member: dict[str, object], *names: str) -> dict[str, object]:
    return {name: value for name, value in member.items() if name not in names}


def signed(header: dict[str, object], claims: object = CLAIMS, key: keys.SigningKey = KEY) -> Secret:
    signing_input = encode(json.dumps(header).encode()) + b"." + encode(json.dumps(claims).encode())
    return Secret(signing_input + b"." + encode(key.algorithm.sign(key.private_key, signing_input)))


def verify(assertion: Secret, found: ClientKeys | None = None, **options):
    chosen = {"audiences": frozenset({ISSUER, ENDPOINT}), "now": NOW, "max_lifetime": 3600, **options}
    return verify_assertion(assertion, found or registered(), client_id="cl_1", **chosen)


def test_what_we_sign_we_believe():
    made = sign_assertion("cl_1", KEY, audience=ISSUER, now=NOW, jti="j")
    assert verify(made).jti == "j"


@pytest.mark.parametrize("name", ["RS256", "RS384", "PS256", "ES256", "ES384"])
def test_what_another_library_signs_we_believe(name):
    made = jwk.generate_key(
        "RSA" if name[1] == "S" and name[0] != "E" else "EC",
        3072 if name[0] != "E" else {"ES256": "P-256", "ES384": "P-384"}[name],
        {"kid": "k"},
    )
    text = jwt.encode({"alg": name, "kid": "k"}, CLAIMS, made, [name])
    assert verify(Secret(text), registered(made.as_dict(private=False))).client_id == "cl_1"


def test_a_key_is_found_by_each_name_that_real_clients_use():
    """RFC 7638, RFC 7515 §4.1.4, §4.1.7, §4.1.8; and by none, where no library sets one."""
    own = {"alg": "ES256"}
    member = KEY.public_jwk()
    for header, member_of in (
        ({"kid": KEY.kid}, member),
        ({"kid": "mine"}, member | {"kid": "mine"}),
        ({"kid": KEY.kid}, member | {"kid": "mine"}),
        ({"kid": KEY.kid}, without(member, "kid", "use", "alg")),
        ({}, without(member, "kid", "use", "alg")),
        ({"x5t": "abc"}, member | {"x5t": "abc"}),
        ({"typ": "JWT"}, member),
        ({"typ": "client-authentication+jwt"}, member),
    ):
        assert verify(signed(own | header), registered(member_of))
    other = keys.generate("ES256").public_jwk()
    assert verify(signed(own), registered(other, member)), "without a name each key of the algorithm is tried"


def test_a_key_is_found_by_its_certificate():
    private_key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "partner")])
    begins = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, private_key.public_key(), 1, begins, begins + datetime.timedelta(400))
        .sign(private_key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )
    key = keys.load(
        Secret(
            private_key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    )
    member = without(key.public_jwk(), "kid", "alg") | {"x5c": [base64.b64encode(certificate).decode()]}
    for digest, header in ((hashes.SHA1(), "x5t"), (hashes.SHA256(), "x5t#S256")):
        named = hashes.Hash(digest)
        named.update(certificate)
        text = signed({"alg": "PS256", header: encode(named.finalize()).decode()}, key=key)
        assert verify(text, registered(member))
        wrong = signed({"alg": "PS256", header: encode(b"x" * 20).decode()}, key=key)
        with pytest.raises(InvalidClient):
            verify(wrong, registered(member))


def test_times_and_audiences_are_taken_as_real_clients_write_them():
    """Floats (RFC 7519 §2), no iat, a list of one audience, the token endpoint or the issuer."""
    header = {"alg": "ES256"}
    for changes in (
        {"exp": NOW + 60.5, "iat": NOW - 0.5},
        {"aud": [ENDPOINT]},
        {"aud": ENDPOINT},
        {"exp": NOW + 3600},
        {"nbf": NOW},
    ):
        assert verify(signed(header, CLAIMS | changes))
    assert verify(signed(header, without(CLAIMS, "iat", "jti"))).jti is None


def test_each_attack_on_an_assertion_is_refused():
    """RFC 7523 §3, RFC 8725 §3.1, §3.10, §3.11."""
    stranger = keys.generate("ES256")
    for header, claims, key in (
        ({"alg": "none"}, CLAIMS, KEY),
        ({"alg": "HS256"}, CLAIMS, KEY),
        ({"alg": "ES384"}, CLAIMS, KEY),
        ({"alg": "ES256", "jwk": stranger.public_jwk()}, CLAIMS, stranger),
        ({"alg": "ES256", "jku": "https://evil.example/jwks", "kid": stranger.kid}, CLAIMS, stranger),
        ({"alg": "ES256", "kid": stranger.kid}, CLAIMS, KEY),
        ({"alg": "ES256", "kid": KEY.kid}, CLAIMS, stranger),
        ({"alg": "ES256", "kid": KEY.kid, "crit": ["exp"]}, CLAIMS, KEY),
        ({"alg": "ES256", "typ": "at+jwt"}, CLAIMS, KEY),
        ({"alg": "ES256", "typ": "revocations+jwt"}, CLAIMS, KEY),
        ({"alg": "ES256"}, CLAIMS | {"aud": [ISSUER, "https://other.example"]}, KEY),
        ({"alg": "ES256"}, CLAIMS | {"aud": [ISSUER, ENDPOINT]}, KEY),
        ({"alg": "ES256"}, CLAIMS | {"aud": "https://other.example"}, KEY),
        ({"alg": "ES256"}, without(CLAIMS, "aud"), KEY),
        ({"alg": "ES256"}, CLAIMS | {"iss": "cl_2"}, KEY),
        ({"alg": "ES256"}, CLAIMS | {"sub": "cl_2"}, KEY),
        ({"alg": "ES256"}, CLAIMS | {"exp": NOW}, KEY),
        ({"alg": "ES256"}, CLAIMS | {"exp": NOW + 3631}, KEY),
        ({"alg": "ES256"}, CLAIMS | {"exp": True}, KEY),
        ({"alg": "ES256"}, without(CLAIMS, "exp"), KEY),
        ({"alg": "ES256"}, CLAIMS | {"iat": NOW + 31}, KEY),
        ({"alg": "ES256"}, CLAIMS | {"nbf": NOW + 31}, KEY),
        ({"alg": "ES256"}, CLAIMS | {"jti": ""}, KEY),
        ({"alg": "ES256"}, [], KEY),
    ):
        with pytest.raises(InvalidClient):
            verify(signed(header, claims, key))


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys":[]}',
        b'{"keys":["x"]}',
        b'{"keys":[{"kty":"oct","k":"AAAA"}]}',
        b'{"keys":[{"kty":"EC","crv":"P-256","x":"AA","y":"AA"}]}',
        b'{"keys":[], "keys":[]}',
        b'{"keys":[' + b",".join([b"{}"] * (MAX_KEYS + 1)) + b"]}",
        b" " * 70_000,
    ],
)
def test_a_set_without_a_usable_key_is_refused(document):
    with pytest.raises(MalformedKeySet):
        ClientKeys.parse(document)


def test_a_private_key_in_a_set_is_refused():
    member = KEY.public_jwk() | {"d": "AAAA"}
    with pytest.raises(MalformedKeySet, match="exposed"):
        registered(member)


NAMES = st.sampled_from(["keys", "kty", "crv", "x", "y", "n", "e", "alg", "kid", "use", "x5c", "x5t", "key_ops"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=5),
    max_leaves=12,
)


@given(VALUES)
def test_any_document_is_a_set_or_refused(document):
    try:
        found = ClientKeys.parse(json.dumps(document).encode())
    except MalformedKeySet:
        return
    assert found.keys
