"""Signing keys that lie elsewhere: a digest is sent there, and what comes back is verified before it is used."""

from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization

from keyfob.jose import keys
from keyfob.jose.algorithms import ALGORITHMS, Algorithm, PublicKey
from keyfob.oauth import access_token
from keyfob.problem import Problem

Ask = Callable[[bytes], bytes]
"""A digest for its signature, as the service gives it: DER for ECDSA. Blocking; raises Problem."""


@dataclass(frozen=True, slots=True)
class RemoteKey:
    """A key that signs with one algorithm, and whose private half nobody has here."""

    kid: str
    algorithm: Algorithm = field(repr=False)
    public_key: PublicKey = field(repr=False)
    protected: bytes = field(repr=False)
    ask: Ask = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """The signature of `message`, verified. Blocking. Raises Problem when there is none, or not one of this key."""
        try:
            signature = self.algorithm.from_service(self.ask(_digest(self.algorithm, message)))
            self.algorithm.verify(self.public_key, message, signature)
        except (InvalidSignature, ValueError, OverflowError):
            raise Problem(
                "signature-not-ours",
                f"what came back is no signature of the key {self.kid}",
                hint="the service signed with another key, or something between here and there changes its answers",
            ) from None
        return signature

    def public_jwk(self) -> dict[str, object]:
        """The public half as RFC 7517 §4 wants it published."""
        return keys.published_jwk(self.public_key, self.kid, self.algorithm)

    def header(self, kind: str) -> bytes:
        """The encoded header of what is signed as `kind` (RFC 7515 §4.1.9: `typ`)."""
        return keys.write_header(self.algorithm, self.kid, kind)


def from_der(public_key: bytes, algorithm: str, ask: Ask) -> RemoteKey:
    """The key whose public half is this SubjectPublicKeyInfo. Raises ValueError when it does not fit `algorithm`."""
    try:
        loaded = serialization.load_der_public_key(public_key)
    except UnsupportedAlgorithm as unknown:
        raise ValueError(f"the key is none of {algorithm}") from unknown
    return _made(loaded if isinstance(loaded, PublicKey) else None, ALGORITHMS[algorithm], ask)


def from_jwk(public_jwk: dict[str, object], ask: Ask) -> RemoteKey:
    """The key that `public_jwk` published. Raises ValueError when it is none."""
    found = keys.read_public_key(public_jwk)
    if found is None or len(found[1]) != 1:
        raise ValueError("the stored public key is not usable")
    return _made(found[0], found[1][0], ask)


def _made(public_key: PublicKey | None, algorithm: Algorithm, ask: Ask) -> RemoteKey:
    found = None if public_key is None else keys.published_jwk(public_key, "", algorithm)
    usable = None if found is None else keys.read_public_key(found)
    # RFC 7518 §3.3, §3.4: a key of another kind or curve, or a weak one, is not for this algorithm.
    if public_key is None or usable is None or algorithm not in usable[1] or algorithm.digest is None:
        raise ValueError(f"the key is none of {algorithm.name}")
    kid = keys.thumbprint(public_key)
    return RemoteKey(kid, algorithm, public_key, keys.write_header(algorithm, kid, access_token.TYPE), ask)


def _digest(algorithm: Algorithm, message: bytes) -> bytes:
    assert algorithm.digest is not None
    digest = hashes.Hash(algorithm.digest)
    digest.update(message)
    return digest.finalize()
