"""keyfob.jose.tokens: RFC 9068 §4 and RFC 8725, with hostile tokens made by hand."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwk, jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, OctKey

from keyfob.jose import keys
from keyfob.jose.algorithms import ALGORITHMS
from keyfob.jose.compact import encode
from keyfob.jose.keys import KeySet
from keyfob.jose.tokens import UnknownKey, sign_access_token, verify_access_token
from keyfob.oauth.errors import InvalidToken
from keyfob.secret import Secret

ISSUER = "https://auth.example"
AUDIENCE = "https://api.example"
NOW = 1_000_000
KEY = keys.generate("ES256")
KEYS = KeySet.parse(keys.write_jwks([KEY.public_jwk()]))
CLAIMS = {
    "iss": ISSUER,
    "sub": "cl_1",
    "client_id": "cl_1",
    "aud": AUDIENCE,
    "iat": NOW,
    "exp": NOW + 300,
    "jti": "j1",
    "scope": "studies:read",
    "authorization_details": [{"type": "cdms_study", "identifier": "S.1"}],
}


def verify(token: Secret | bytes, now: int = NOW, key_set: KeySet = KEYS):
    presented = token if isinstance(token, Secret) else Secret(token)
    return verify_access_token(presented, key_set, issuer=ISSUER, audience=AUDIENCE, now=now)


def signed(header: dict[str, object] | bytes, claims: object, key: keys.SigningKey = KEY) -> bytes:
    """A token with any header and claims, properly signed: what an attacker with a key could send."""
    head = header if isinstance(header, bytes) else json.dumps(header).encode()
    body = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    signing_input = encode(head) + b"." + encode(body)
    return signing_input + b"." + encode(key.algorithm.sign(key.private_key, signing_input))


HEADER = {"alg": "ES256", "kid": KEY.kid, "typ": "at+jwt"}


@pytest.mark.filterwarnings("ignore:EdDSA is deprecated")
@pytest.mark.parametrize("name", ALGORITHMS)
def test_what_we_sign_another_library_verifies_and_so_do_we(name: str):
    """RFC 9068 §2.1, RFC 7515 §5.1, §7.1, RFC 7519 §7.1, RFC 7518 §3.1, §3.3, §3.4, §3.5, RFC 8037 §3.1."""
    key = keys.generate(name)
    token = sign_access_token(CLAIMS, key)
    theirs = jwt.decode(token.reveal(), jwk.import_key(key.public_jwk()), [name])
    assert theirs.claims == CLAIMS
    assert theirs.header == {"alg": name, "kid": key.kid, "typ": "at+jwt"}
    ours = verify(token, key_set=KeySet.parse(keys.write_jwks([key.public_jwk()])))
    assert ours.client_id == "cl_1"
    assert ours.scope == {"studies:read"}


def test_what_another_library_signs_we_verify():
    """RFC 7519 §7.2, RFC 7518 §3.4."""
    theirs = ECKey.import_key(KEY.to_secret().reveal_bytes())
    token = jws.serialize_compact(HEADER, json.dumps(CLAIMS), theirs)
    assert verify(token.encode()).jti == "j1"


def test_a_token_is_refused_from_the_second_it_expires():
    """RFC 7519 §4.1.4: `exp` itself is already too late."""
    token = sign_access_token(CLAIMS, KEY)
    verify(token, now=NOW + 299)
    with pytest.raises(InvalidToken):
        verify(token, now=NOW + 300)


def test_a_key_that_is_not_in_the_set_is_told_apart():
    """RFC 7515 §4.1.4, §6, RFC 9068 §4: the issuer's keys, by their ids, and no others."""
    token = sign_access_token(CLAIMS, keys.generate("ES256"))
    with pytest.raises(UnknownKey):
        verify(token)


PUBLIC_PEM_AS_SECRET = OctKey.import_key(json.dumps(KEY.public_jwk()))


def without(name: str) -> dict[str, object]:
    return {k: v for k, v in CLAIMS.items() if k != name}


HOSTILE = {
    "empty": b"",
    "not three parts": b"a.b",
    "five parts (an encrypted token)": b"a.b.c.d.e",
    "alg none": encode(json.dumps({**HEADER, "alg": "none"}).encode())
    + b"."
    + encode(json.dumps(CLAIMS).encode())
    + b".",
    "HMAC with the public key": jws.serialize_compact(
        {**HEADER, "alg": "HS256"}, json.dumps(CLAIMS), PUBLIC_PEM_AS_SECRET, ["HS256"]
    ).encode(),
    "another alg than the key's": signed({**HEADER, "alg": "ES384"}, CLAIMS),
    "typ of an ID token": signed({**HEADER, "typ": "JWT"}, CLAIMS),
    "no typ": signed({"alg": "ES256", "kid": KEY.kid}, CLAIMS),
    "no kid": signed({"alg": "ES256", "typ": "at+jwt"}, CLAIMS),
    "an unknown critical extension": signed({**HEADER, "crit": ["x"], "x": 1}, CLAIMS),
    "an unencoded payload": signed({**HEADER, "b64": False, "crit": ["b64"]}, CLAIMS),
    "a repeated header": signed(json.dumps(HEADER).encode()[:-1] + b', "alg": "ES256"}', CLAIMS),
    "a repeated exp": signed(HEADER, json.dumps(CLAIMS).encode()[:-1] + b', "exp": 9999999999}'),
    "claims that are a list": signed(HEADER, []),
    "claims that are no JSON": signed(HEADER, b"{"),
    "claims in UTF-16": signed(HEADER, json.dumps(CLAIMS).encode("utf-16")),
    "deep claims": signed(HEADER, b"[" * 5000 + b"]" * 5000),
    "no exp": signed(HEADER, without("exp")),
    "exp as text": signed(HEADER, {**CLAIMS, "exp": str(NOW + 300)}),
    "exp as NaN": signed(HEADER, json.dumps({**CLAIMS, "exp": float("nan")}).encode()),
    "exp beyond all numbers": signed(HEADER, json.dumps(CLAIMS).replace(str(NOW + 300), "1e999").encode()),
    "exp true": signed(HEADER, {**CLAIMS, "exp": True}),
    "no iat": signed(HEADER, without("iat")),
    "issued in the future": signed(HEADER, {**CLAIMS, "iat": NOW + 31}),
    "not yet valid": signed(HEADER, {**CLAIMS, "nbf": NOW + 31}),
    "another issuer": signed(HEADER, {**CLAIMS, "iss": "https://evil.example"}),
    "the issuer with a slash": signed(HEADER, {**CLAIMS, "iss": ISSUER + "/"}),
    "another audience": signed(HEADER, {**CLAIMS, "aud": "https://other.example"}),
    "no audience": signed(HEADER, without("aud")),
    "scope as a list": signed(HEADER, {**CLAIMS, "scope": ["studies:read"]}),
    "no client_id": signed(HEADER, without("client_id")),
    "details of an unknown type": signed(HEADER, {**CLAIMS, "authorization_details": [{"type": "all"}]}),
    "empty sites": signed(
        HEADER, {**CLAIMS, "authorization_details": [{"type": "cdms_study", "identifier": "S.1", "sites": []}]}
    ),
    "too long": signed(HEADER, {**CLAIMS, "x": "y" * 9000}),
}


@pytest.mark.parametrize("token", HOSTILE.values(), ids=list(HOSTILE))
def test_a_hostile_token_is_refused(token: bytes):
    """RFC 7515 §4, §4.1.1, §4.1.11, §5.2, §5.3, §7.1, RFC 7518 §3.6, RFC 7519 §4, §5.1, §6, §7.2, RFC 8037 §5.

    RFC 9068 §4, RFC 8725 §3.1, §3.2, §3.3, §3.7, §3.8, §3.9, §3.11, §3.12.
    """
    with pytest.raises(InvalidToken):
        verify(token)


@pytest.mark.parametrize("kind", ["at+jwt", "AT+JWT", "application/at+jwt"])
def test_the_type_is_read_with_and_without_its_prefix(kind: str):
    """RFC 7515 §4.1.9, RFC 9068 §4."""
    assert verify(signed({**HEADER, "typ": kind}, CLAIMS)).jti == "j1"
    with pytest.raises(InvalidToken):
        verify(signed({**HEADER, "typ": kind + "x"}, CLAIMS))


def test_a_key_inside_the_token_is_not_used():
    """RFC 8725 §3.10, RFC 7515 §4.1.3: jwk, jku and x5u are nobody's word."""
    mine = keys.generate("ES256")
    with pytest.raises(InvalidToken):
        verify(signed({**HEADER, "jwk": mine.public_jwk()}, CLAIMS, mine))


def test_no_byte_of_a_token_can_be_changed():
    """RFC 7515 §5.2, RFC 9068 §4, RFC 8725 §3.3."""
    token = sign_access_token(CLAIMS, KEY).reveal_bytes()
    for place in range(0, len(token), 7):
        changed = token[:place] + (b"A" if token[place : place + 1] != b"A" else b"B") + token[place + 1 :]
        with pytest.raises(InvalidToken):
            verify(changed)


def test_the_last_character_has_one_spelling():
    """A signature of 64 bytes leaves four spare bits at the end, which decoders like to ignore."""
    token = sign_access_token(CLAIMS, KEY).reveal_bytes()
    accepted = 0
    for last in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_":
        try:
            verify(token[:-1] + bytes([last]))
            accepted += 1
        except InvalidToken:
            pass
    assert accepted == 1


def test_thirty_seconds_of_skew_are_accepted():
    """RFC 7519 §4.1.5, §4.1.6: a small leeway."""
    verify(signed(HEADER, {**CLAIMS, "iat": NOW + 30, "nbf": NOW + 30}))


@given(
    st.binary(max_size=300) | st.tuples(*[st.binary(max_size=60)] * 3).map(lambda p: b".".join(encode(x) for x in p))
)
def test_any_bytes_are_refused_as_an_invalid_token(token: bytes):
    with pytest.raises(InvalidToken):
        verify(token)


@given(
    st.dictionaries(
        st.sampled_from([*CLAIMS, "nbf", "cnf", "credential_id"]),
        st.none() | st.booleans() | st.floats() | st.text() | st.lists(st.text()),
    )
)
def test_any_signed_claims_are_read_or_refused(changes: dict[str, object]):
    with contextlib.suppress(InvalidToken):
        verify(signed(HEADER, json.dumps({**CLAIMS, **changes}).encode()))


VALUES = (
    st.none() | st.booleans() | st.integers(-5, NOW + 400) | st.floats() | st.text(max_size=8) | st.just([AUDIENCE])
)
WORDS = st.sampled_from(["ES256", "ES384", "HS256", "none", "JWT", "at+jwt", KEY.kid, "", "https://evil.example"])
HEADERS = st.dictionaries(st.sampled_from(["alg", "kid", "typ", "cty"]), WORDS, max_size=2) | st.sampled_from(
    [{"crit": ["x"], "x": 1}, {"b64": False}, {"b64": True, "crit": ["b64"]}, {"jwk": KEY.public_jwk()}]
)
THEIRS = jwk.import_key(KEY.public_jwk())
REGISTRY = jwt.JWTClaimsRegistry(
    now=NOW,
    leeway=30,
    iss={"essential": True, "value": ISSUER},
    aud={"essential": True, "value": AUDIENCE},
    exp={"essential": True},
)


def theirs(token: bytes) -> dict[str, object] | None:
    """The claims by joserfc, when it believes the token."""
    try:
        found = jwt.decode(token.decode(), THEIRS, ["ES256"])
        REGISTRY.validate(found.claims)
    except (JoseError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return found.claims


@given(
    header=HEADERS,
    changes=st.dictionaries(st.sampled_from([*CLAIMS, "nbf", "cnf"]), VALUES, max_size=2),
    without=st.sets(st.sampled_from([*CLAIMS]), max_size=1),
    spoilt=st.none() | st.tuples(st.integers(0, 600), st.sampled_from(b"A_-=.+/ ")),
    text=st.sampled_from([(",", ":"), (", ", ": ")]),
)
def test_what_we_believe_another_library_believes_and_reads_alike(header, changes, without, spoilt, text):
    """Our own path may be the stricter one, and never the laxer: whatever it takes, joserfc takes for the same."""
    claims = {name: value for name, value in {**CLAIMS, **changes}.items() if name not in without}
    token = signed({**HEADER, **header}, json.dumps(claims, separators=text).encode())
    if spoilt is not None:
        place = spoilt[0] % len(token)
        token = token[:place] + bytes([spoilt[1]]) + token[place + 1 :]
    try:
        ours = verify(token)
    except InvalidToken:
        honest = not header and not changes and not without and spoilt is None
        assert not honest
        return
    read = theirs(token)
    assert read is not None
    assert (ours.client_id, ours.jti, ours.issued_at) == (read["client_id"], read["jti"], int(read["iat"]))
    assert ours.scope == set(read["scope"].split(" ")) and ours.expires_at == int(read["exp"])
