"""keyfob.jose.keys: RFC 7517 and RFC 7638."""

import contextlib
import json

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwk

from keyfob.jose import keys
from keyfob.jose.algorithms import ALGORITHMS
from keyfob.jose.compact import decode, encode
from keyfob.jose.keys import KeySet, MalformedKeySet
from keyfob.secret import Secret


@given(st.binary(max_size=200))
def test_base64url_has_one_spelling(content: bytes):
    """RFC 7515 §2: no padding, the alphabet for URLs; a changed last character is refused, not read as the same."""
    text = encode(content)
    assert decode(text) == content
    for other in b"ABCDEFGH":
        spelled = text[:-1] + bytes([other])
        if text and spelled != text:
            with contextlib.suppress(ValueError):
                assert decode(spelled) != content


@pytest.mark.parametrize("text", [b"YQ==", b"YQ=", b"+w", b"/w", b"Y Q", b"Y", b"YR", "YQé".encode()])
def test_what_is_not_canonical_base64url_is_refused(text: bytes):
    """RFC 7515 §2, §5.2."""
    with pytest.raises(ValueError):
        decode(text)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_key_comes_back_from_its_secret_and_its_kid_is_its_thumbprint(name: str):
    """RFC 7638 §3, §3.2, RFC 7517 §4.4, §4.5: the thumbprint as the library that is not ours computes it."""
    key = keys.generate(name)
    again = keys.from_secret(key.to_secret(), name)
    assert again.kid == key.kid
    public = key.public_jwk()
    assert jwk.import_key({k: v for k, v in public.items() if k != "kid"}).thumbprint() == key.kid
    assert "d" not in public
    assert public["alg"] == name
    assert KeySet.parse(keys.write_jwks([public])).keys[key.kid].algorithm.name == name


def test_a_stored_key_is_not_taken_for_another_algorithm():
    key = keys.generate("ES256")
    with pytest.raises(ValueError):
        keys.from_secret(key.to_secret(), "ES384")


def test_a_private_key_shows_only_its_id():
    key = keys.generate("ES256")
    assert key.kid in repr(key)
    assert "private" not in repr(key).lower()


def jwks(*members: dict[str, object]) -> bytes:
    return json.dumps({"keys": members}).encode()


GOOD = keys.generate("ES256").public_jwk()


def test_keys_of_other_kinds_are_passed_over():
    """RFC 7517 §5: an unknown kty must not make the whole set unusable.

    RFC 7517 §4.1, §4.2, §4.3: what is for encryption does not verify. RFC 7518 §3.3, §3.5, RFC 8725 §3.4, §3.5: weak
    keys and points off their curve are not used. RFC 8037 §3.1: nor are keys for key agreement.
    """
    others = [
        {"kty": "AKP", "alg": "ML-DSA-44", "kid": "pq", "pub": "AAAA"},
        {**keys.generate("ES256").public_jwk(), "kid": "enc", "use": "enc"},
        {"kty": "RSA", "alg": "RS256", "kid": "small", **_rsa(2048)},
        {"kty": "EC", "crv": "P-256", "kid": "off-curve", "x": GOOD["y"], "y": GOOD["x"]},
        {**GOOD, "kid": "confused", "alg": "HS256"},
        {**GOOD, "kid": "for deriving", "use": None, "key_ops": ["deriveKey"]},
        {"kty": "OKP", "crv": "X25519", "kid": "agreement", "x": encode(bytes(31) + b"\x09").decode()},
        {"kid": "no kty", "crv": "P-256", "x": GOOD["x"], "y": GOOD["y"]},
        {name: value for name, value in GOOD.items() if name != "kid"},
    ]
    assert list(KeySet.parse(jwks(*others, GOOD)).keys) == [GOOD["kid"]]


def _rsa(bits: int) -> dict[str, object]:
    public = jwk.RSAKey.generate_key(bits, auto_kid=False).as_dict(private=False)
    return {"n": public["n"], "e": public["e"]}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b"{}",
        b'{"keys": 3}',
        b'{"keys": []}',
        b'{"keys": [3]}',
        b'{"keys": [], "keys": []}',
        jwks({"kty": "oct", "k": "AAAA", "kid": "x"}),
        jwks({**GOOD, "d": "AAAA"}),
        jwks(GOOD, GOOD),
        jwks(*[GOOD] * 33),
        b" " * (64 * 1024 + 1),
        b"\xff\xfe{\x00}\x00",
    ],
)
def test_a_set_that_cannot_be_used_is_refused(body: bytes):
    """RFC 7517 §4, §4.5, §5, §5.1, §9.2, RFC 8037 §2: no list, repeated names or ids, private keys."""
    with pytest.raises(MalformedKeySet):
        KeySet.parse(body)


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(lambda v: json.dumps({"keys": v}).encode())
)
def test_any_document_is_a_key_set_or_refused(body: bytes):
    with contextlib.suppress(MalformedKeySet):
        KeySet.parse(body)


def test_thumbprints_are_those_of_the_standards():
    """RFC 7638 §3, §3.3 and RFC 8037 §2 by the example of its appendix A.3."""
    example = {"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}
    assert jwk.import_key(example).thumbprint() == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    private_key = ed25519.Ed25519PrivateKey.from_private_bytes(seed)
    pem = private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    ours = keys.from_secret(Secret(pem), "EdDSA")
    assert ours.kid == "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"
    assert ours.public_jwk() == {**example, "kid": ours.kid, "use": "sig", "alg": "EdDSA"}


def test_coordinates_have_the_width_of_their_curve():
    """RFC 7518 §6.2.1, §6.3.1: a coordinate that begins with zeros keeps them, and a modulus has none."""
    chosen = (ec.derive_private_key(number, ec.SECP256R1()) for number in range(1, 10_000))
    private_key = next(key for key in chosen if key.public_key().public_numbers().x < 2**248)
    pem = private_key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    written = keys.from_secret(Secret(pem), "ES256").public_jwk()
    assert [len(decode(str(written[name]).encode())) for name in ("x", "y")] == [32, 32]
    modulus = decode(str(keys.generate("RS256").public_jwk()["n"]).encode())
    assert (len(modulus), modulus[0] > 0) == (384, True)


def test_a_published_key_says_what_it_is_for():
    """RFC 7517 §4.2, §4.3, §4.4, §4.5: `use` and not `key_ops` besides, its algorithm, its id, and nothing private."""
    assert set(GOOD) == {"kty", "crv", "x", "y", "kid", "use", "alg"}
    assert (GOOD["use"], GOOD["alg"]) == ("sig", "ES256")
