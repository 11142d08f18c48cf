"""RFC 7515 §2, §7.1: base64url without padding, in its one canonical form."""

import binascii
from collections.abc import Mapping

import msgspec

from keyfob.oauth import strict_json

_SHALLOW = 32
"""Brackets: with fewer of them nothing is nested too deeply."""


def encode(content: bytes) -> bytes:
    # RFC 7515 §2: base64 in the alphabet for URLs.
    return binascii.b2a_base64(content, newline=False).rstrip(b"=").translate(_TO_URL)


def encode_json(document: Mapping[str, object]) -> bytes:
    """A header or claims, as they stand in a compact JWS."""
    return encode(msgspec.json.encode(document))


def decode_json(document: bytes) -> object:
    """What `strict_json.parse` gives, sooner. Raises ValueError."""
    # What is written anew byte for byte has nothing in it that two readers could read as two things: no repeated name,
    # no NaN, no other spelling of a text or a number. Nearly every honest token is so; the rest is read strictly.
    if document.count(b"[") + document.count(b"{") < _SHALLOW:
        try:
            value: object = msgspec.json.decode(document)
            if msgspec.json.encode(value) == document:
                return value
        except (msgspec.MsgspecError, ValueError):
            pass
    return strict_json.parse(document)


def decode(text: bytes) -> bytes:
    """The content. Raises ValueError for padding, other characters, or bits that the last character must not have."""
    left = len(text) % 4
    # A second spelling of the same bytes would be a second token with the same signature.
    if left == 1 or (left and text[-1] not in _LAST[left]):
        raise ValueError("not canonical base64url")
    return binascii.a2b_base64(text.translate(_FROM_URL) + _PADDING[left], strict_mode=True)


_TO_URL = bytes.maketrans(b"+/", b"-_")
# What is base64 and not base64url becomes what is neither, which the strict mode refuses.
_FROM_URL = bytes.maketrans(b"-_+/=", b"+/!!!")
_PADDING = (b"", b"", b"==", b"=")
# After one or two bytes, the last character has four or two bits that no byte is in: they are zero.
_LAST = (b"", b"", b"AQgw", b"AEIMQUYcgkosw048")
