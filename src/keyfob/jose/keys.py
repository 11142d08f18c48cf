"""RFC 7517, RFC 7638: keys and key sets. A key has one algorithm, and its `kid` is its thumbprint."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import cast

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from joserfc import errors as joserfc_errors
from joserfc import jwk

from keyfob.jose.algorithms import ALGORITHMS, MIN_RSA_BITS, Algorithm, PrivateKey, PublicKey
from keyfob.jose.compact import encode_json
from keyfob.oauth import access_token, strict_json
from keyfob.secret import Secret

MAX_JWKS_BYTES = 64 * 1024
_MAX_KEYS = 32


@dataclass(frozen=True, slots=True)
class VerificationKey:
    """A public key and the one algorithm that it verifies."""

    algorithm: Algorithm
    public_key: PublicKey


class MalformedKeySet(ValueError):
    """The document is no JWK set that can be used; the text says why and quotes nothing."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key that signs with one algorithm. repr shows its id alone."""

    kid: str
    algorithm: Algorithm = field(repr=False)
    private_key: PrivateKey = field(repr=False)
    protected: bytes = field(repr=False)
    """The encoded header of an access token, the same for each: RFC 9068 §2.1."""

    def sign(self, message: bytes) -> bytes:
        """The signature of `message`, as it stands in a JWS."""
        return self.algorithm.sign(self.private_key, message)

    def to_secret(self) -> Secret:
        """The private key as PKCS#8 PEM (RFC 5958), for an envelope."""
        return Secret(
            self.private_key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )

    def public_jwk(self) -> dict[str, object]:
        """The public half as RFC 7517 §4 wants it published: with `kid`, `use` and `alg`."""
        return published_jwk(self.private_key.public_key(), self.kid, self.algorithm)

    def header(self, kind: str) -> bytes:
        """The encoded header of what is signed as `kind` (RFC 7515 §4.1.9: `typ`)."""
        return write_header(self.algorithm, self.kid, kind)


def generate(algorithm: str = "ES256") -> SigningKey:
    """A new key of `algorithm`, one of ALGORITHMS. Raises KeyError for another name."""
    chosen = ALGORITHMS[algorithm]
    return _signing_key(chosen, chosen.generate())


def from_secret(private_key: Secret, algorithm: str) -> SigningKey:
    """The key that to_secret wrote. Raises ValueError when it is no key of that algorithm."""
    loaded = serialization.load_pem_private_key(private_key.reveal_bytes(), password=None)
    key = _signing_key(ALGORITHMS[algorithm], loaded)  # type: ignore[arg-type]  # its kind is checked there
    public = key.public_jwk()
    if public["kty"] != key.algorithm.kty or public.get("crv") != key.algorithm.crv:
        raise ValueError(f"the stored key is not for {algorithm}")
    return key


def load(private_key: Secret) -> SigningKey:
    """A private key in PEM that somebody else made, with the algorithm that fits it. Raises ValueError."""
    try:
        loaded = serialization.load_pem_private_key(private_key.reveal_bytes(), password=None)
    except (TypeError, UnsupportedAlgorithm) as unusable:
        raise ValueError("it is encrypted, or of a kind that is not supported") from unusable
    if isinstance(loaded, rsa.RSAPrivateKey) and loaded.key_size >= MIN_RSA_BITS:
        return _signing_key(ALGORITHMS["PS256"], loaded)
    for algorithm in ALGORITHMS.values():
        if isinstance(loaded, PrivateKey) and algorithm.kty != "RSA":
            public = _public_members(loaded)
            if (public["kty"], public.get("crv")) == (algorithm.kty, algorithm.crv):
                return _signing_key(algorithm, loaded)
    raise ValueError(f"it is none of P-256, P-384, Ed25519, or RSA of {MIN_RSA_BITS} bits")


def write_jwks(public_jwks: Iterable[Mapping[str, object]]) -> bytes:
    """RFC 7517 §5: the document that the `jwks_uri` serves."""
    return json.dumps({"keys": [dict(key) for key in public_jwks]}, separators=(",", ":")).encode()


@dataclass(frozen=True, slots=True)
class KeySet:
    """Public keys by their `kid`, each with its one algorithm."""

    keys: Mapping[str, VerificationKey]

    @classmethod
    def parse(cls, body: bytes) -> "KeySet":
        """The usable keys of a JWK set (RFC 7517 §5); keys of other kinds or uses are passed over, as it says.

        Raises MalformedKeySet when the document is none, holds a private key, repeats a `kid`, or has no usable key.
        """
        if len(body) > MAX_JWKS_BYTES:
            raise MalformedKeySet(f"the key set is larger than {MAX_JWKS_BYTES} bytes")
        try:
            document = strict_json.parse(body)
        except ValueError as broken:
            raise MalformedKeySet("the key set is not JSON") from broken
        found = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(found, list) or len(found) > _MAX_KEYS:
            raise MalformedKeySet(f"the key set needs a list `keys` of at most {_MAX_KEYS}")
        usable: dict[str, VerificationKey] = {}
        for member in found:
            if not isinstance(member, dict):
                raise MalformedKeySet("a member of `keys` is no object")
            read = _read_jwk(member)
            if read is None:
                continue
            kid, key = read
            # RFC 7517 §4.5: the ids of a set's keys are distinct.
            if kid in usable:
                raise MalformedKeySet("two keys have the same kid")
            usable[kid] = key
        if not usable:
            raise MalformedKeySet("the key set holds no key that can verify a signature")
        return cls(usable)


def read_public_key(member: Mapping[str, object]) -> tuple[PublicKey, tuple[Algorithm, ...]] | None:
    """A member of a JWK set, with the algorithms that it may verify; None for one that verifies nothing here.

    Raises MalformedKeySet when it holds a private or a shared key.
    """
    # RFC 7517 §9.2, RFC 8037 §2: a private key that was published is anybody's.
    if "d" in member or member.get("kty") == "oct":
        raise MalformedKeySet("the key set holds a private or shared key: it must be considered exposed")
    # RFC 7517 §4.2, §4.3: a key for encryption does not verify signatures.
    if member.get("use", "sig") != "sig" or member.get("key_ops", ["verify"]) != ["verify"]:
        return None
    try:
        # The library checks the type of each member, and that a point lies on its curve.
        members = {name: member[name] for name in ("kty", "crv", "x", "y", "n", "e") if name in member}
        public_key = jwk.import_key(cast("dict[str, str | list[str]]", members)).public_key
    except (joserfc_errors.JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None
    if not isinstance(public_key, PublicKey):
        return None
    # RFC 7518 §3.3, §3.5, RFC 8725 §3.5: a weak key is not used.
    if isinstance(public_key, rsa.RSAPublicKey) and public_key.key_size < MIN_RSA_BITS:
        return None
    algorithms = _algorithms_of(member)
    return (public_key, algorithms) if algorithms else None


def thumbprint(public_key: PublicKey) -> str:
    """RFC 7638."""
    return jwk.import_key(cast("dict[str, str | list[str]]", public_members(public_key))).thumbprint()


def published_jwk(public_key: PublicKey, kid: str, algorithm: Algorithm) -> dict[str, object]:
    """RFC 7517 §4: a public key with its id, its use and its one algorithm."""
    return {**public_members(public_key), "kid": kid, "use": "sig", "alg": algorithm.name}


def write_header(algorithm: Algorithm, kid: str, kind: str) -> bytes:
    """The encoded header of what is signed as `kind`."""
    return encode_json({"alg": algorithm.name, "kid": kid, "typ": kind})


def _read_jwk(member: dict[str, object]) -> tuple[str, VerificationKey] | None:
    """Of an issuer's set: a key has a `kid`, and exactly one algorithm, its own or its curve's."""
    found, kid = read_public_key(member), member.get("kid")
    # RFC 7517 §5: a key that cannot be used is passed over.
    if found is None or not isinstance(kid, str) or not 0 < len(kid) <= 256 or len(found[1]) != 1:
        return None
    return kid, VerificationKey(found[1][0], found[0])


def _algorithms_of(member: Mapping[str, object]) -> tuple[Algorithm, ...]:
    """What a key says that it is for, if that fits its type; else all that its type can do: one, but for RSA."""
    said = member.get("alg")
    return tuple(
        algorithm
        for algorithm in ALGORITHMS.values()
        if (member.get("kty"), member.get("crv")) == (algorithm.kty, algorithm.crv)
        # RFC 9864 names EdDSA over Ed25519 by its curve.
        and said in (None, algorithm.name, algorithm.crv)
    )


def _signing_key(algorithm: Algorithm, private_key: PrivateKey) -> SigningKey:
    # RFC 7638 §3: the id of a key is its thumbprint.
    kid = jwk.import_key(cast("dict[str, str | list[str]]", _public_members(private_key))).thumbprint()
    return SigningKey(kid, algorithm, private_key, write_header(algorithm, kid, access_token.TYPE))


def _public_members(private_key: PrivateKey) -> dict[str, object]:
    return public_members(private_key.public_key())


def public_members(public_key: PublicKey) -> dict[str, object]:
    """RFC 7518 §6: the key as a JWK, with nothing beside it."""
    pem = public_key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    if isinstance(public_key, rsa.RSAPublicKey):
        return dict(jwk.import_key(pem, "RSA").as_dict(private=False))
    if isinstance(public_key, ec.EllipticCurvePublicKey):
        return dict(jwk.import_key(pem, "EC").as_dict(private=False))
    return dict(jwk.import_key(pem, "OKP").as_dict(private=False))
