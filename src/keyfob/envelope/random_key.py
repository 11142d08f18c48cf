"""A random key-encryption key and its one text form, wherever it is kept: in a file, in the OS keyring.

Data keys are wrapped by AES-256-SIV (RFC 5297 §1.3.1, key wrapping): deterministic, so there is no nonce to lose, and
with associated data, so that a wrapped key is bound to its context. Wrapped: 8 bytes that name the key, so that
"another key" is told from "damaged"; then the data key under SIV.
"""

import base64
import binascii
import hashlib
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV

from keyfob.envelope.format import DATA_KEY_BYTES, Context, EnvelopeError
from keyfob.secret import Secret

SIV_KEY_BYTES = 64
WRAPPED_BYTES = 16 + DATA_KEY_BYTES
MAX_TEXT_BYTES = 256

_PREFIX = b"keyfob-key-1:"
_ID_BYTES = 8


@dataclass(frozen=True, slots=True)
class RandomKey:
    """512 random bits."""

    _key: Secret = field(repr=False)

    @classmethod
    def generate(cls) -> "RandomKey":
        return cls(Secret(AESSIV.generate_key(SIV_KEY_BYTES * 8)))

    @classmethod
    def parse(cls, text: Secret) -> "RandomKey":
        """The key that `text` gave. Raises ValueError."""
        content = text.reveal_bytes()
        if not content.startswith(_PREFIX) or len(content) > MAX_TEXT_BYTES:
            raise ValueError("no key of Keyfob")
        try:
            key = base64.b64decode(content.removeprefix(_PREFIX).rstrip(), validate=True)
        except binascii.Error:
            raise ValueError("no key of Keyfob") from None
        if len(key) != SIV_KEY_BYTES:
            raise ValueError("no key of Keyfob")
        return cls(Secret(key))

    def text(self) -> Secret:
        """The key as one line of ASCII."""
        return Secret(_PREFIX + base64.b64encode(self._key.reveal_bytes()) + b"\n")

    def wrap(self, data_key: Secret, associated_data: list[bytes]) -> bytes:
        return self._id() + wrap(self._key, data_key, associated_data)

    def unwrap(self, wrapped: bytes, associated_data: list[bytes]) -> Secret:
        """Only for what this key `made`. Raises EnvelopeError."""
        return unwrap(self._key, wrapped[_ID_BYTES:], associated_data)

    def made(self, wrapped: bytes) -> bool:
        """Whether this key wrapped it, and no other."""
        return wrapped[:_ID_BYTES] == self._id()

    def _id(self) -> bytes:
        # Of a key of 512 random bits: a hash of it tells nothing.
        return hashlib.sha256(b"keyfob key id" + self._key.reveal_bytes()).digest()[:_ID_BYTES]


def associated_data(kind: str, context: Context) -> list[bytes]:
    return [kind.encode(), context.associated_data()]


def wrap(key: Secret, data_key: Secret, associated_data: list[bytes]) -> bytes:
    return AESSIV(key.reveal_bytes()).encrypt(data_key.reveal_bytes(), associated_data)


def unwrap(key: Secret, wrapped: bytes, associated_data: list[bytes]) -> Secret:
    if len(wrapped) != WRAPPED_BYTES:
        raise EnvelopeError("the envelope is damaged in its wrapped key")
    try:
        return Secret(AESSIV(key.reveal_bytes()).decrypt(wrapped, associated_data))
    except InvalidTag:
        raise EnvelopeError("the envelope is damaged, or belongs to another place") from None
