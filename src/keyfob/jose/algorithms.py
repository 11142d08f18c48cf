"""The closed list of signature algorithms (RFC 7518 §3.1, RFC 8037, RFC 8725 §3.1): what each signs with, and how."""

from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature, encode_dss_signature

PrivateKey = ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey | rsa.RSAPrivateKey

PublicKey = ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey | rsa.RSAPublicKey

MIN_RSA_BITS = 3072


@dataclass(frozen=True, slots=True)
class Algorithm:
    """`kty` and `crv` are what a key of this algorithm has; `name` is the only `alg` that it may be used with.

    `verify` raises InvalidSignature. `digest` is what a key that lies elsewhere is given to sign, where it can be given
    that; `from_service` turns what it gives back (DER for ECDSA; ValueError) into a signature of JWS.
    """

    name: str
    kty: str
    crv: str | None
    generate: Callable[[], PrivateKey]
    sign: Callable[[PrivateKey, bytes], bytes]
    verify: Callable[[PublicKey, bytes, bytes], None]
    digest: hashes.HashAlgorithm | None
    from_service: Callable[[bytes], bytes]


def _ecdsa(name: str, crv: str, curve: ec.EllipticCurve, digest: hashes.HashAlgorithm) -> Algorithm:
    how = ec.ECDSA(digest)
    width = (curve.key_size + 7) // 8

    def sign(key: PrivateKey, message: bytes) -> bytes:
        assert isinstance(key, ec.EllipticCurvePrivateKey)
        return side_by_side(key.sign(message, how))

    def side_by_side(der: bytes) -> bytes:
        r, s = decode_dss_signature(der)
        # RFC 7518 §3.4: an ECDSA signature is r and s side by side, each of the curve's width.
        return r.to_bytes(width, "big") + s.to_bytes(width, "big")

    def verify(key: PublicKey, message: bytes, signature: bytes) -> None:
        assert isinstance(key, ec.EllipticCurvePublicKey)
        # RFC 7518 §3.4: a signature of another length is none.
        if len(signature) != 2 * width:
            raise InvalidSignature
        r, s = int.from_bytes(signature[:width], "big"), int.from_bytes(signature[width:], "big")
        key.verify(encode_dss_signature(r, s), message, how)

    return Algorithm(name, "EC", crv, lambda: ec.generate_private_key(curve), sign, verify, digest, side_by_side)


def _eddsa() -> Algorithm:
    def sign(key: PrivateKey, message: bytes) -> bytes:
        assert isinstance(key, ed25519.Ed25519PrivateKey)
        return key.sign(message)

    def verify(key: PublicKey, message: bytes, signature: bytes) -> None:
        assert isinstance(key, ed25519.Ed25519PublicKey)
        key.verify(signature, message)

    # RFC 8037's name: the newer one of RFC 9864 (Ed25519) is not yet known to most verifiers.
    return Algorithm("EdDSA", "OKP", "Ed25519", ed25519.Ed25519PrivateKey.generate, sign, verify, None, bytes)


def _rsa(name: str, how: padding.AsymmetricPadding, digest: hashes.HashAlgorithm) -> Algorithm:
    def sign(key: PrivateKey, message: bytes) -> bytes:
        assert isinstance(key, rsa.RSAPrivateKey)
        return key.sign(message, how, digest)

    def verify(key: PublicKey, message: bytes, signature: bytes) -> None:
        assert isinstance(key, rsa.RSAPublicKey)
        key.verify(signature, message, how, digest)

    return Algorithm(name, "RSA", None, _generate_rsa, sign, verify, digest, bytes)


def _generate_rsa() -> PrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=MIN_RSA_BITS)


_PSS = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=padding.PSS.DIGEST_LENGTH)

ALGORITHMS: dict[str, Algorithm] = {
    algorithm.name: algorithm
    for algorithm in (
        # RFC 7518 §3.1: ES256 is recommended, and ours by default.
        _ecdsa("ES256", "P-256", ec.SECP256R1(), hashes.SHA256()),
        _ecdsa("ES384", "P-384", ec.SECP384R1(), hashes.SHA384()),
        _eddsa(),
        _rsa("PS256", _PSS, hashes.SHA256()),
        # RFC 9068 §2.1: RS256 is one that every server and resource has.
        _rsa("RS256", padding.PKCS1v15(), hashes.SHA256()),
        _rsa("RS384", padding.PKCS1v15(), hashes.SHA384()),
    )
}
"""Neither `none` nor any HMAC: a public key can never be taken for a shared one."""
