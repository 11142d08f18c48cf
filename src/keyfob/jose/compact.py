"""RFC 7515 §2, §7.1: base64url without padding, in its one canonical form."""

import binascii
import re
from collections.abc import Mapping

import msgspec

_ALPHABET = re.compile(rb"[A-Za-z0-9_-]*")


def encode(content: bytes) -> bytes:
    # RFC 7515 §2: base64 in the alphabet for URLs.
    return binascii.b2a_base64(content, newline=False).rstrip(b"=").translate(_TO_URL)


def encode_json(document: Mapping[str, object]) -> bytes:
    """A header or claims, as they stand in a compact JWS."""
    return encode(msgspec.json.encode(document))


def decode(text: bytes) -> bytes:
    """The content. Raises ValueError for padding, other characters, or bits that the last character must not have."""
    if not _ALPHABET.fullmatch(text):
        raise ValueError("not base64url")
    content = binascii.a2b_base64(text.translate(_FROM_URL) + b"=" * (-len(text) % 4))
    # A second spelling of the same bytes would be a second token with the same signature.
    if encode(content) != text:
        raise ValueError("not canonical base64url")
    return content


_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")
