"""RFC 9580 §7: a short text signed in clear, as `gpg --clearsign` makes it, from somebody who may be anybody.

Exactly one signed text and nothing beside it: a library that looks for one passes over what stands before and after.
Its signature block holds signatures alone, seen before the library reads it: a compressed packet of a few bytes could
unpack into gigabytes.
"""

import base64
import binascii
import re

from keyfob.openpgp import sequoia
from keyfob.openpgp.certificate import Certificate
from keyfob.problem import Problem

MAX_BYTES = 16 * 1024
_MAX_SIGNATURES = 8
_FORM = re.compile(
    rb"-----BEGIN PGP SIGNED MESSAGE-----\r?\n(?:Hash: [A-Za-z0-9, -]{1,80}\r?\n)*\r?\n"
    rb"(?P<text>[\x20-\x7e\t\r\n]*?)\r?\n"
    rb"-----BEGIN PGP SIGNATURE-----\r?\n(?:[A-Za-z]{1,20}: [\x20-\x7e]{0,100}\r?\n)*\r?\n"
    rb"(?P<body>[A-Za-z0-9+/=\r\n]+?)(?:\r?\n=[A-Za-z0-9+/]{4})?\r?\n"
    rb"-----END PGP SIGNATURE-----\s*"
)
_SIGNATURE = 2


class NotSigned(Problem):
    """It is no text that the wanted certificate has signed."""


def read_unverified(signed: bytes) -> bytes:
    """The text, whoever signed it: good for nothing but finding the certificate. Raises NotSigned."""
    return _split(signed)[0]


def verify(signed: bytes, *, signer: Certificate) -> bytes:
    """The text that `signer` signed. Raises NotSigned."""
    _split(signed)
    try:
        opened = sequoia.verify(signed, signer=signer.armored)
    except sequoia.Refused as refused:
        raise NotSigned("not-signed", "the text is not signed by the wanted certificate") from refused
    if set(opened.signers) != {signer.fingerprint}:
        raise NotSigned("not-signed", "the text is not signed by the wanted certificate alone")
    return opened.plaintext.reveal_bytes()


def _split(signed: bytes) -> tuple[bytes, bytes]:
    found = _FORM.fullmatch(signed) if len(signed) <= MAX_BYTES else None
    if found is None or found["text"].count(b"-----BEGIN"):
        raise NotSigned("not-clearsigned", "it is not one text signed in clear", hint="gpg --clearsign FILE")
    try:
        block = base64.b64decode(b"".join(found["body"].split()), validate=True)
    except binascii.Error:
        block = b""
    if not _holds_signatures_alone(block):
        raise NotSigned("not-clearsigned", "its signature block is damaged", hint="gpg --clearsign FILE")
    return found["text"], block


def _holds_signatures_alone(block: bytes) -> bool:
    """RFC 9580 §4.2: whether the packets are signatures, one at least, each of a stated length."""
    count = 0
    while block:
        tag, start, length = _header(block)
        count += 1
        if tag != _SIGNATURE or start + length > len(block) or count > _MAX_SIGNATURES:
            return False
        block = block[start + length :]
    return count > 0


def _header(block: bytes) -> tuple[int, int, int]:
    """The packet's type, where its body starts, and how long it is. A type of -1 is none that has a stated length."""
    first, rest = block[0], block[1:]
    if first & 0xC0 == 0x80:
        octets = (1, 2, 4, 0)[first & 3]
        return ((first >> 2) & 0xF, 1 + octets, int.from_bytes(rest[:octets])) if octets else (-1, 0, 0)
    if first & 0xC0 != 0xC0 or not rest:
        return -1, 0, 0
    if rest[0] < 192:
        return first & 0x3F, 2, rest[0]
    if rest[0] < 224 and len(rest) > 1:
        return first & 0x3F, 3, ((rest[0] - 192) << 8) + rest[1] + 192
    return (first & 0x3F, 6, int.from_bytes(rest[1:5])) if rest[0] == 255 else (-1, 0, 0)
