"""RFC 7591 §2 (`jwks`), RFC 7523 §3: the public keys of a client, found in the ways in which real clients name them.

By `kid`, by the key's thumbprint (RFC 7638), by its certificate's (RFC 7515 §4.1.7, §4.1.8), or not at all.
"""

import hashlib
from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass

from keyfob.jose.compact import encode
from keyfob.jose.jws import Header
from keyfob.jose.keys import MAX_JWKS_BYTES, MalformedKeySet, VerificationKey, read_public_key, thumbprint
from keyfob.oauth import strict_json

MAX_KEYS = 16
_NAMES = ("kid", "x5t", "x5t#S256")


@dataclass(frozen=True, slots=True)
class ClientKey:
    """One key, everything that it may be called, what it may verify, and its certificate (DER), if there is one."""

    thumbprint: str
    names: frozenset[str]
    verifies: tuple[VerificationKey, ...]
    certificate: bytes | None = None


@dataclass(frozen=True, slots=True)
class ClientKeys:
    """All usable keys of one client, at least one."""

    keys: tuple[ClientKey, ...]

    @classmethod
    def parse(cls, body: bytes) -> "ClientKeys":
        """A JWK set (RFC 7517 §5). Raises MalformedKeySet: it is none, holds a private key, or no usable one."""
        if len(body) > MAX_JWKS_BYTES:
            raise MalformedKeySet(f"the key set is larger than {MAX_JWKS_BYTES} bytes")
        try:
            document = strict_json.parse(body)
        except ValueError as broken:
            raise MalformedKeySet(f"the key set cannot be read: {broken}") from broken
        listed = document.get("keys") if isinstance(document, dict) else None
        if not isinstance(listed, list) or not all(isinstance(member, dict) for member in listed):
            raise MalformedKeySet("a key set has a list `keys` of objects")
        if len(listed) > MAX_KEYS:
            raise MalformedKeySet(f"the key set has more than {MAX_KEYS} keys")
        usable = tuple(key for member in listed if (key := _read(member)) is not None)
        if not usable:
            raise MalformedKeySet("no key can verify a signature: P-256, P-384, Ed25519, or RSA of 3072 bits and more")
        return cls(usable)

    def may_have_signed(self, header: Header) -> tuple[VerificationKey, ...]:
        """The keys that a header means: the one that it names, or all when it names none.

        A key in the header itself (`jwk`, `jku`, `x5c`) is never looked at: it is anybody's.
        """
        said = {str(header[name]) for name in _NAMES if name in header}
        return tuple(one for key in self.keys if said <= key.names for one in key.verifies)


def _read(member: Mapping[str, object]) -> ClientKey | None:
    found = read_public_key(member)
    if found is None:
        return None
    public_key, algorithms = found
    own = thumbprint(public_key)
    said = {value for name in _NAMES if isinstance(value := member.get(name), str)}
    certificate = _certificate(member)
    return ClientKey(
        own,
        frozenset({own, *said, *_certificate_names(certificate)}),
        tuple(VerificationKey(algorithm, public_key) for algorithm in algorithms),
        certificate,
    )


def _certificate(member: Mapping[str, object]) -> bytes | None:
    """RFC 7517 §4.7: the first of `x5c` is the key's own."""
    chain = member.get("x5c")
    if not isinstance(chain, list) or not chain or not isinstance(chain[0], str):
        return None
    try:
        return b64decode(chain[0], validate=True)
    except ValueError:
        return None


def _certificate_names(certificate: bytes | None) -> tuple[str, ...]:
    if certificate is None:
        return ()
    # SHA-1 here only names a key (RFC 7515 §4.1.7); what is believed is the signature.
    sha1 = hashlib.sha1(certificate, usedforsecurity=False).digest()
    return encode(sha1).decode(), encode(hashlib.sha256(certificate).digest()).decode()
