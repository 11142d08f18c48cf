"""keyfob.oauth.dpop and keyfob.jose.proofs: RFC 9449 §4.3, with proofs that another library made, and attackers'."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwk, jwt

from keyfob.jose import keys
from keyfob.jose.compact import encode
from keyfob.jose.proofs import sign_proof, verify_proof
from keyfob.oauth import dpop
from keyfob.oauth.dpop import InvalidDpopProof
from keyfob.secret import Secret

URL, NOW = "https://api.example/v1/studies", 1_000_000
KEY = keys.generate("ES256")
PUBLIC = {name: value for name, value in KEY.public_jwk().items() if name in ("kty", "crv", "x", "y")}
HEADER = {"alg": "ES256", "typ": "dpop+jwt", "jwk": PUBLIC}
TOKEN = Secret("the.token.itself")
CLAIMS = {"htm": "GET", "htu": URL, "iat": NOW, "jti": "1", "ath": dpop.token_hash(TOKEN)}


def signed(header: object = HEADER, claims: object = CLAIMS, key: keys.SigningKey = KEY) -> Secret:
    signing_input = encode(json.dumps(header).encode()) + b"." + encode(json.dumps(claims).encode())
    return Secret(signing_input + b"." + encode(key.algorithm.sign(key.private_key, signing_input)))


def verify(proof: Secret, *, method: str = "GET", url: str = URL, now: int = NOW, access_token: Secret | None = TOKEN):
    return verify_proof(proof, method=method, url=url, now=now, access_token=access_token)[0]


def without(name: str) -> dict[str, object]:
    return {key: value for key, value in CLAIMS.items() if key != name}


@pytest.mark.parametrize("name", ["ES256", "ES384", "EdDSA", "PS256", "RS256"])
def test_what_we_sign_we_believe_and_it_names_its_key(name):
    """RFC 9449 §4.2."""
    key = keys.generate(name)
    made = sign_proof(key, method="POST", url=URL + "?a=1#b", now=NOW, jti="j", access_token=TOKEN, nonce="n")
    proof, nonce = verify_proof(made, method="POST", url=URL, now=NOW, access_token=TOKEN)
    assert (proof.key_id, proof.jti, nonce) == (key.kid, "j", "n")


def test_what_another_library_signs_we_believe():
    made = jwk.generate_key("EC", "P-256")
    header = {"alg": "ES256", "typ": "dpop+jwt", "jwk": made.as_dict(private=False)}
    assert verify(Secret(jwt.encode(header, CLAIMS, made))).key_id == made.thumbprint()


def test_two_spellings_of_one_url_are_one():
    """RFC 9449 §4.3, RFC 3986 §6.2.2, §6.2.3."""
    for said, asked in (
        ("HTTPS://API.example:443/v1/studies", URL),
        ("https://api.example/a%2fb", "https://api.example/a%2Fb"),
        ("https://api.example", "https://api.example/"),
    ):
        assert verify(signed(claims=CLAIMS | {"htu": said}), url=asked)


def test_a_proof_is_good_for_a_minute_and_for_a_clock_that_is_a_little_ahead():
    for age in (0, 59, -30):
        assert verify(signed(), now=NOW + age)
    for age in (60, 3600, -31):
        with pytest.raises(InvalidDpopProof):
            verify(signed(), now=NOW + age)
    assert verify(signed(claims=CLAIMS | {"iat": NOW + 0.5}))


def test_each_attack_on_a_proof_is_refused():
    """RFC 9449 §4.3, §11: each of these, and nothing is told but that it does not hold."""
    stranger = keys.generate("ES256")
    private = KEY.public_jwk() | {"d": "AAAA"}
    for proof in (
        signed(HEADER | {"typ": "JWT"}),
        signed(HEADER | {"typ": "at+jwt"}),
        signed({"alg": "ES256", "typ": "dpop+jwt"}),
        signed({"alg": "ES256", "typ": "dpop+jwt", "kid": KEY.kid}),
        signed(HEADER | {"alg": "none"}),
        signed(HEADER | {"alg": "HS256"}),
        signed(HEADER | {"alg": "ES384"}),
        signed(HEADER | {"jwk": private}),
        signed(HEADER | {"jwk": {"kty": "oct", "k": "AAAA"}}),
        signed(HEADER | {"jwk": "x"}),
        signed(HEADER | {"crit": ["b64"], "b64": False}),
        signed(key=stranger),
        signed(claims=CLAIMS | {"htm": "get"}),
        signed(claims=CLAIMS | {"htm": "POST"}),
        signed(claims=CLAIMS | {"htu": URL + "/"}),
        signed(claims=CLAIMS | {"htu": URL + "?a=1"}),
        signed(claims=CLAIMS | {"htu": URL + "#a"}),
        signed(claims=CLAIMS | {"htu": URL.replace("https", "http")}),
        signed(claims=CLAIMS | {"htu": "https://user@api.example/v1/studies"}),
        signed(claims=CLAIMS | {"htu": 1}),
        signed(claims=CLAIMS | {"jti": ""}),
        signed(claims=CLAIMS | {"jti": "x" * 513}),
        signed(claims=CLAIMS | {"iat": True}),
        signed(claims=CLAIMS | {"iat": None}),
        signed(claims=CLAIMS | {"ath": "é"}),
        signed(claims=CLAIMS | {"ath": dpop.token_hash(Secret("another"))}),
        *(signed(claims=without(name)) for name in CLAIMS),
        signed(claims=[]),
        Secret("x"),
        Secret("a.b.c"),
        Secret("x" * 5000),
    ):
        with pytest.raises(InvalidDpopProof) as refused:
            verify(proof)
        assert refused.value.description == "the DPoP proof is missing or invalid"


@given(st.text(max_size=60))
def test_any_text_is_a_url_of_the_request_or_refused(said):
    try:
        verify(signed(claims=CLAIMS | {"htu": said}))
    except InvalidDpopProof:
        assert said != URL


def test_a_nonce_is_ours_and_of_the_last_minutes_and_needs_no_memory():
    """RFC 9449 §8."""
    key = Secret(b"k" * 32)
    nonce = dpop.new_nonce(key, NOW)
    assert dpop.is_fresh(nonce, key, NOW) and dpop.is_fresh(nonce, key, NOW + 299)
    at, mac = nonce.split(".")
    for wrong in (f"{NOW + 1}.{mac}", f"{at}.{'0' * 32}", "", None, 5, nonce + "0", f"{at}.{mac.upper()}x", f"٣.{mac}"):
        assert not dpop.is_fresh(wrong, key, NOW)
    assert not dpop.is_fresh(nonce, key, NOW + 300)
    assert not dpop.is_fresh(nonce, key, NOW - 1)
    assert not dpop.is_fresh(nonce, Secret(b"x" * 32), NOW)
