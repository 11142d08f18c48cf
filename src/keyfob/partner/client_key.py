"""A key of this partner's own, P-256, and what it signs by ES256 (RFC 7515, RFC 7518 §3.4).

With `cryptography` alone: the JOSE library of the server's half is no part of the partner's install.
"""

import hashlib
import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from keyfob.secret import Secret

ALGORITHM = "ES256"
_WIDTH = 32


@dataclass(frozen=True, slots=True)
class ClientKey:
    """A private key. `kid` is its thumbprint (RFC 7638); repr shows nothing else."""

    kid: str
    _private_key: ec.EllipticCurvePrivateKey = field(repr=False)

    def public_jwk(self) -> dict[str, str]:
        """RFC 7517 §4, RFC 7518 §6.2.1: the members that make the key, and no other."""
        return _public_jwk(self._private_key)

    def sign(self, claims: Mapping[str, object], header: Mapping[str, object]) -> Secret:
        """A compact JWS of `claims` (RFC 7515 §7.1); `header` says what it is, `alg` is added."""
        signing_input = _encode(_json({"alg": ALGORITHM, **header})) + b"." + _encode(_json(claims))
        r, s = decode_dss_signature(self._private_key.sign(signing_input, ec.ECDSA(hashes.SHA256())))
        # (RFC 7518 §3.4) the two numbers side by side, each of its full width.
        return Secret(signing_input + b"." + _encode(r.to_bytes(_WIDTH, "big") + s.to_bytes(_WIDTH, "big")))

    def to_secret(self) -> Secret:
        """The key as PKCS#8 PEM (RFC 5958), for the vault."""
        form = serialization.PrivateFormat.PKCS8
        return Secret(self._private_key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))


def generate() -> ClientKey:
    """A new key."""
    return _of(ec.generate_private_key(ec.SECP256R1()))


def load(pem: Secret) -> ClientKey:
    """The key that `to_secret` wrote. Raises ValueError, which quotes nothing, for what is no such key."""
    try:
        loaded = serialization.load_pem_private_key(pem.reveal_bytes(), password=None)
    except (ValueError, TypeError):
        raise ValueError("it is no unencrypted private key in PEM form") from None
    if not isinstance(loaded, ec.EllipticCurvePrivateKey) or not isinstance(loaded.curve, ec.SECP256R1):
        raise ValueError("it is no key of P-256")
    return _of(loaded)


def _of(private_key: ec.EllipticCurvePrivateKey) -> ClientKey:
    # (RFC 7638 §3) the members in the order of their names, without a space.
    canonical = json.dumps(_public_jwk(private_key), sort_keys=True, separators=(",", ":")).encode()
    return ClientKey(_encode(hashlib.sha256(canonical).digest()).decode(), private_key)


def _public_jwk(private_key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    numbers = private_key.public_key().public_numbers()
    x, y = (_encode(number.to_bytes(_WIDTH, "big")).decode() for number in (numbers.x, numbers.y))
    return {"kty": "EC", "crv": "P-256", "x": x, "y": y}


def _json(document: Mapping[str, object]) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _encode(content: bytes) -> bytes:
    return urlsafe_b64encode(content).rstrip(b"=")
