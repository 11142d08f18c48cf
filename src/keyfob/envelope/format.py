"""The envelope: one secret under a data key of its own, the data key wrapped by a key-encryption key.

    magic         4       b"KFE" and the version of this format, 1
    kind          1 + n   length, ASCII: which kind of wrapper made the next field
    wrapped key   2 + n   length (big-endian), the data key as the wrapper gave it
    nonce         12      random
    ciphertext    rest    AES-256-GCM (NIST SP 800-38D), its tag of 16 bytes at the end

Everything before the nonce and the whole Context are associated data: no byte can change, and an envelope opens nowhere
but in its place. The data key is used once, so a nonce can never repeat under it.
"""

import struct
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from keyfob.ambient import Entropy
from keyfob.problem import Problem
from keyfob.secret import Secret

VERSION = 1
DATA_KEY_BYTES = 32
MAX_BYTES = 1024 * 1024

_MAGIC = b"KFE"
_NONCE_BYTES = 12
_TAG_BYTES = 16
_LABEL = b"keyfob envelope"


class EnvelopeError(Problem):
    """An envelope that does not open: damaged, in another place, or under another key. Never quotes its content."""

    def __init__(self, message: str, *, code: str = "envelope-damaged", hint: str = "restore it from a backup") -> None:
        super().__init__(code, message, hint=hint)


@dataclass(frozen=True, slots=True)
class Context:
    """The one place where an envelope opens. The issuer is not in it: an issuer may be renamed."""

    installation_id: str
    purpose: str
    record_id: str
    key_version: int

    def associated_data(self) -> bytes:
        """All fields, each with its length before it, so that no two contexts have the same bytes."""
        fields = (_LABEL, self.installation_id.encode(), self.purpose.encode(), self.record_id.encode())
        prefixed = b"".join(struct.pack(">I", len(field)) + field for field in fields)
        return bytes((VERSION,)) + prefixed + struct.pack(">Q", self.key_version)


class Wrapper(Protocol):
    """A key-encryption key, wherever it lives. Both verbs authenticate the context along with the data key."""

    @property
    def kind(self) -> str:
        """Its name in an envelope: 1 to 255 ASCII characters that never change their meaning."""
        ...

    def wrap(self, data_key: Secret, context: Context) -> bytes:
        """`data_key` as only this key-encryption key and `context` unwrap it; at most 65,535 bytes."""
        ...

    def unwrap(self, wrapped: bytes, context: Context) -> Secret:
        """The data key. Raises EnvelopeError."""
        ...


def seal(plaintext: Secret, *, wrapper: Wrapper, context: Context, entropy: Entropy) -> bytes:
    """`plaintext` in an envelope that opens with `wrapper` and `context` alone. Raises ValueError above MAX_BYTES."""
    if len(plaintext.reveal_bytes()) > MAX_BYTES:
        raise ValueError(f"an envelope holds {MAX_BYTES} bytes at most")
    data_key = Secret(entropy(DATA_KEY_BYTES))
    nonce = entropy(_NONCE_BYTES)
    header = _write_header(wrapper.kind, wrapper.wrap(data_key, context))
    cipher = AESGCM(data_key.reveal_bytes())
    return header + nonce + cipher.encrypt(nonce, plaintext.reveal_bytes(), header + context.associated_data())


def open(envelope: bytes, *, wrapper: Wrapper, context: Context) -> Secret:  # noqa: A001  # the verb that belongs to seal
    """What was sealed. Raises EnvelopeError when any bit differs, or the key or the context is another one."""
    if len(envelope) > MAX_BYTES + 128 * 1024:
        raise EnvelopeError("the envelope is too large to be one")
    kind, wrapped, header_length = _read_header(envelope)
    if kind != wrapper.kind:
        raise EnvelopeError(
            f"the envelope opens with another kind of key than '{wrapper.kind}'",
            code="envelope-other-kind",
            hint="use the kind of key that it was made with",
        )
    data_key = wrapper.unwrap(wrapped, context)
    nonce_end = header_length + _NONCE_BYTES
    if len(data_key.reveal_bytes()) != DATA_KEY_BYTES or len(envelope) < nonce_end + _TAG_BYTES:
        raise EnvelopeError("the envelope is cut short")
    associated = envelope[:header_length] + context.associated_data()
    try:
        cipher = AESGCM(data_key.reveal_bytes())
        return Secret(cipher.decrypt(envelope[header_length:nonce_end], envelope[nonce_end:], associated))
    except InvalidTag:
        raise EnvelopeError("the envelope is damaged") from None


def read_wrapped(envelope: bytes) -> tuple[str, bytes]:
    """Which kind of wrapper made the wrapped data key, and what it made: unverified until the envelope is opened."""
    kind, wrapped, _ = _read_header(envelope)
    return kind, wrapped


def _write_header(kind: str, wrapped: bytes) -> bytes:
    name = kind.encode("ascii")
    return b"".join((_MAGIC, bytes((VERSION, len(name))), name, struct.pack(">H", len(wrapped)), wrapped))


def _read_header(envelope: bytes) -> tuple[str, bytes, int]:
    """The wrapper's kind, the wrapped data key, and where the nonce begins."""
    if envelope[:3] != _MAGIC:
        raise EnvelopeError("this is no envelope of Keyfob")
    try:
        version, name_length = struct.unpack_from(">BB", envelope, 3)
        name_end = 5 + name_length
        (wrapped_length,) = struct.unpack_from(">H", envelope, name_end)
        kind = envelope[5:name_end].decode("ascii")
    except (struct.error, UnicodeDecodeError):
        raise EnvelopeError("the envelope is damaged at its beginning") from None
    if version != VERSION:
        raise EnvelopeError(
            f"the envelope has format {version}, this program reads format {VERSION}",
            code="envelope-other-version",
            hint="upgrade Keyfob, or restore the envelope from a backup",
        )
    end = name_end + 2 + wrapped_length
    if len(envelope) < end:
        raise EnvelopeError("the envelope is cut short")
    return kind, envelope[name_end + 2 : end], end
