"""The form of what we issue: secrets that a scanner recognises without false alarms, and opaque ids.

    kfs_<credential id>_<43 base62 characters: 256 random bits>_<6 base62 characters: CRC-32 of what stands before>

kfs_ is a client secret, kfi_ an initial access token, kfr_ a registration access token (RFC 7591 §1.2). Characters
`[A-Za-z0-9_]` only, so that no encoding of HTTP Basic can break a secret. The id inside gives one look-up; the checksum
tells a mistyped secret from a wrong one, and proves nothing.
"""

import binascii
import re
from enum import StrEnum

from keyfob.secret import Secret


class Prefix(StrEnum):
    """What kind of secret it is: none can be mistaken for another."""

    CLIENT_SECRET = "kfs"  # noqa: S105  # the beginning of one
    INITIAL_ACCESS_TOKEN = "kfi"  # noqa: S105
    REGISTRATION_ACCESS_TOKEN = "kfr"  # noqa: S105


_BASE62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_RANDOM_BYTES = 32
_RANDOM_CHARACTERS = 43
_CHECKSUM_CHARACTERS = 6

_AFTER_PREFIX = r"_[0-9A-Za-z]{8,64}_[0-9A-Za-z]{43}_[0-9A-Za-z]{6}"
PATTERN = rf"kf[sir]{_AFTER_PREFIX}"
"""A regular expression for scanners of repositories, logs and e-mail."""

_SECRET = re.compile(PATTERN)
_CREDENTIAL_ID = re.compile(r"[0-9A-Za-z]{8,64}")
_ID_CHARACTERS = 22


def make(credential_id: str, random: bytes, *, prefix: Prefix = Prefix.CLIENT_SECRET) -> Secret:
    """A secret that carries `credential_id`; `random`: 32 bytes from the system's CSPRNG."""
    if len(random) != _RANDOM_BYTES:
        raise ValueError(f"a secret takes {_RANDOM_BYTES} random bytes")
    if not _CREDENTIAL_ID.fullmatch(credential_id):
        raise ValueError("a credential id has 8 to 64 characters of base62")
    body = f"{prefix}_{credential_id}_{_base62(int.from_bytes(random, 'big'), _RANDOM_CHARACTERS)}"
    return Secret(f"{body}_{_checksum(body)}")


def credential_id(secret: Secret, *, prefix: Prefix = Prefix.CLIENT_SECRET) -> str | None:
    """The id inside, or None unless kind, form and checksum hold. Says nothing of whether it was ever issued."""
    try:
        text = secret.reveal()
    except UnicodeDecodeError:
        return None
    if not _SECRET.fullmatch(text) or not text.startswith(f"{prefix}_"):
        return None
    body, _, checksum = text.rpartition("_")
    return body.split("_")[1] if checksum == _checksum(body) else None


def pattern(prefix: Prefix) -> str:
    """The part of PATTERN that is for secrets of one kind."""
    return f"{prefix}{_AFTER_PREFIX}"


def new_id(prefix: str, random: bytes) -> str:
    """An opaque id: `prefix` (such as `cl_`, or none) and 22 base62 characters of 16 random bytes."""
    if len(random) != 16:
        raise ValueError("an id takes 16 random bytes")
    return prefix + _base62(int.from_bytes(random, "big"), _ID_CHARACTERS)


def _checksum(body: str) -> str:
    return _base62(binascii.crc32(body.encode()), _CHECKSUM_CHARACTERS)


def _base62(number: int, width: int) -> str:
    digits = []
    for _ in range(width // 2):
        number, rest = divmod(number, _SQUARE)
        digits.append(_PAIRS[rest])
    if width % 2:
        digits.append(_BASE62[number % 62])
    return "".join(reversed(digits))


_PAIRS = [high + low for high in _BASE62 for low in _BASE62]
_SQUARE = len(_PAIRS)
