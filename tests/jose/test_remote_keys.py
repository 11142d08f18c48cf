"""Keys that lie elsewhere: only a signature that verifies is one, whatever comes back."""

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from joserfc import jwk, jwt

from keyfob.jose import jws, remote_keys
from keyfob.jose.algorithms import ALGORITHMS
from keyfob.jose.tokens import sign_access_token
from keyfob.problem import Problem

CLAIMS = {"sub": "cl_1"}


def der(private_key) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private_key.public_key().public_bytes(serialization.Encoding.DER, form)


def service(private_key, name):
    """What a service does with a digest, on a key of its own."""
    digest = Prehashed(ALGORITHMS[name].digest)
    if isinstance(private_key, ec.EllipticCurvePrivateKey):
        return lambda given: private_key.sign(given, ec.ECDSA(digest))
    how = padding.PKCS1v15()
    if name == "PS256":
        how = padding.PSS(padding.MGF1(ALGORITHMS[name].digest), padding.PSS.DIGEST_LENGTH)
    return lambda given: private_key.sign(given, how, digest)


@pytest.mark.parametrize("name", ["ES256", "ES384", "PS256", "RS256", "RS384"])
def test_a_token_of_a_remote_key_is_one_for_a_library_that_is_not_ours(name):
    """RFC 7515 §7.1, RFC 7518 §3: for ECDSA the service gives DER, and the token has r and s."""
    private_key = ALGORITHMS[name].generate()
    key = remote_keys.from_der(der(private_key), name, service(private_key, name))
    read = jwt.decode(sign_access_token(CLAIMS, key).reveal(), jwk.import_key(key.public_jwk()), [name])
    assert (read.header, read.claims) == ({"alg": name, "kid": key.kid, "typ": "at+jwt"}, CLAIMS)
    again = remote_keys.from_jwk(key.public_jwk(), service(private_key, name))
    assert (again.kid, again.algorithm) == (key.kid, key.algorithm)


@pytest.mark.parametrize("answer", [b"", b"\x30\x00", bytes(64), b"\x30\x06\x02\x01\x01\x02\x01\x01", b"\xff" * 80])
def test_what_is_no_signature_of_the_key_never_becomes_a_token(answer):
    key = remote_keys.from_der(der(ec.generate_private_key(ec.SECP256R1())), "ES256", lambda _: answer)
    with pytest.raises(Problem) as refused:
        jws.sign(CLAIMS, key, header=key.protected)
    assert refused.value.code == "signature-not-ours"


def test_a_signature_of_another_key_never_becomes_a_token():
    own, other = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    key = remote_keys.from_der(der(own), "ES256", service(other, "ES256"))
    with pytest.raises(Problem):
        key.sign(b"message")


@pytest.mark.parametrize(
    ("private_key", "name"),
    [
        (ec.generate_private_key(ec.SECP256R1()), "ES384"),
        (ec.generate_private_key(ec.SECP384R1()), "ES256"),
        (ec.generate_private_key(ec.SECP256K1()), "ES256"),
        (ec.generate_private_key(ec.SECP256R1()), "RS256"),
        (rsa.generate_private_key(65537, 2048), "RS256"),
        (ed25519.Ed25519PrivateKey.generate(), "EdDSA"),
    ],
)
def test_a_key_that_does_not_fit_its_algorithm_is_refused(private_key, name):
    """RFC 7518 §3.3, §3.4. Ed25519 signs messages, not digests."""
    with pytest.raises(ValueError, match="none of"):
        remote_keys.from_der(der(private_key), name, lambda _: b"")


def test_garbage_is_no_public_key():
    with pytest.raises(ValueError):
        remote_keys.from_der(b"garbage", "ES256", lambda _: b"")
    with pytest.raises(ValueError):
        remote_keys.from_jwk({"kty": "EC"}, lambda _: b"")


def test_a_remote_key_shows_its_id_alone():
    key = remote_keys.from_der(der(ec.generate_private_key(ec.SECP256R1())), "ES256", lambda _: b"")
    assert repr(key) == f"RemoteKey(kid={key.kid!r})"
