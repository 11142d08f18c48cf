"""keyfob.jose.keys: RFC 7517 and RFC 7638."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from joserfc import jwk

from keyfob.jose import keys
from keyfob.jose.algorithms import ALGORITHMS
from keyfob.jose.compact import decode, encode
from keyfob.jose.keys import KeySet, MalformedKeySet


@given(st.binary(max_size=200))
def test_base64url_has_one_spelling(content: bytes):
    """RFC 7515 §2: no padding, URL-safe alphabet; a changed last character is refused, not read as the same."""
    text = encode(content)
    assert decode(text) == content
    for other in b"ABCDEFGH":
        spelled = text[:-1] + bytes([other])
        if text and spelled != text:
            with contextlib.suppress(ValueError):
                assert decode(spelled) != content


@pytest.mark.parametrize("text", [b"YQ==", b"YQ=", b"+w", b"/w", b"Y Q", b"Y", b"YR", "YQé".encode()])
def test_what_is_not_canonical_base64url_is_refused(text: bytes):
    with pytest.raises(ValueError):
        decode(text)


@pytest.mark.parametrize("name", ALGORITHMS)
def test_a_key_comes_back_from_its_secret_and_its_kid_is_its_thumbprint(name: str):
    """RFC 7638: the thumbprint as the library that is not ours computes it."""
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
    """RFC 7517 §5: an unknown kty must not make the whole set unusable."""
    others = [
        {"kty": "AKP", "alg": "ML-DSA-44", "kid": "pq", "pub": "AAAA"},
        {**keys.generate("ES256").public_jwk(), "kid": "enc", "use": "enc"},
        {"kty": "RSA", "alg": "RS256", "kid": "small", **_rsa(2048)},
        {"kty": "EC", "crv": "P-256", "kid": "off-curve", "x": GOOD["y"], "y": GOOD["x"]},
        {**GOOD, "kid": "confused", "alg": "HS256"},
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
    with pytest.raises(MalformedKeySet):
        KeySet.parse(body)


@given(
    st.binary(max_size=200)
    | st.recursive(st.none() | st.text() | st.integers(), st.lists).map(lambda v: json.dumps({"keys": v}).encode())
)
def test_any_document_is_a_key_set_or_refused(body: bytes):
    with contextlib.suppress(MalformedKeySet):
        KeySet.parse(body)
