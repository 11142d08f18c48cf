"""Secrets and tokens in a block of bytes: values in, values out. The one place where a scanner sees a secret.

Each form has a needle that begins with a byte that is rare in texts, so that the regular expression engine skips from
one to the next at the speed of memory; what stands there is then looked at closely. A client secret counts when its
checksum holds, so there is no false alarm; an access token (RFC 9068) when header and claims say that it is one.

Forms: as it is; in UTF-16; in base64, as it stands in an `Authorization: Basic` header or a Kubernetes secret.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from keyfob import client_secret
from keyfob.oauth.access_token import TYPE
from keyfob.partner.scan.definition import BY_KEYWORD, DEFINITIONS, Kind
from keyfob.secret import Secret

OVERLAP = 12 * 1024
"""No secret is longer: blocks of a stream that overlap by so much hide none."""

Block = bytes | bytearray | memoryview


@dataclass(frozen=True, slots=True)
class Match:
    """What was found at the byte `offset` of a block, and nothing by which it could be used.

    `fingerprint` is 16 hexadecimal digits of its SHA-256: of 256 random bits, which nobody can guess. `client_id` and
    `expires_at` (seconds since 1970) are of an access token, unverified; `encoding` is empty, `utf-16` or `base64`.
    """

    offset: int
    kind: Kind
    fingerprint: str
    credential_id: str | None
    client_id: str | None = None
    expires_at: int | None = None
    encoding: str = ""


_SECRET = re.compile(client_secret.PATTERN.encode())
_MAX_SECRET = 128
_TOKEN = re.compile(next(one.pattern for one in DEFINITIONS if one.kind is Kind.ACCESS_TOKEN).encode())
_HEADER = re.compile(rb"eyJ[0-9A-Za-z_-]{20,640}\Z")
_MAX_HEADER, _MAX_TOKEN = 643, 11 * 1024
_BASE64 = re.compile(rb"[0-9A-Za-z+/_-]+(?:\r?\n[ \t]*[0-9A-Za-z+/_-]+)*")
_MAX_BASE64 = 320
_STANDARD = bytes.maketrans(b"-_", b"+/")
# `kfs_`, `kfi_`, `kfr_` in base64, by where in a group of three bytes they begin: the needle, how many characters
# stand before it in the first group of four, and how many bytes before the secret.
_IN_BASE64 = (
    (re.compile(rb"2Z[zpy]"), 1, 0),
    (re.compile(rb"m(?:c1|aV|cl)"), 3, 1),
    (re.compile(rb"Z(?:nN|ml|nJ)f"), 4, 2),
)


def find(block: Block) -> list[Match]:
    """All that there is in `block`, in order."""
    found = [match for form in _FORMS for match in form(block)]
    return sorted(found, key=lambda match: match.offset)


def fingerprint(secret: Secret) -> str:
    """What names a secret without giving it away."""
    return hashlib.sha256(secret.reveal_bytes()).hexdigest()[:16]


def _plain(block: Block) -> Iterator[Match]:
    for hit in _PLAIN.finditer(block):
        yield from _at(block[hit.start() : hit.start() + _MAX_SECRET], hit.start(), "")


def _utf_16(block: Block) -> Iterator[Match]:
    if 0 not in block:
        return
    for hit in _UTF_16.finditer(block):
        yield from _at(bytes(block[hit.start() : hit.start() + 2 * _MAX_SECRET : 2]), hit.start(), "utf-16")


def _base64(block: Block) -> Iterator[Match]:
    for needle, before, skipped in _IN_BASE64:
        for hit in needle.finditer(block):
            start = hit.start() - before
            run = None if start < 0 else _BASE64.match(block, start, start + _MAX_BASE64)
            if run is None:
                continue
            characters = b"".join(run.group().split()).translate(_STANDARD)
            try:
                decoded = base64.b64decode(characters[: len(characters) // 4 * 4])
                # The last characters may stand for a byte or two: without its padding nothing says so.
                rest = characters[len(characters) // 4 * 4 :]
                decoded += base64.b64decode(rest + b"=" * (4 - len(rest))) if len(rest) > 1 else b""
            except binascii.Error:
                continue
            yield from _at(decoded[skipped:], start, "base64")


def _at(text: Block, offset: int, encoding: str) -> Iterator[Match]:
    matched = _SECRET.match(text)
    if matched is None:
        return
    # The last group may run on into text that follows it: the pattern's length is fixed, the checksum decides.
    secret = Secret(matched.group())
    prefix = client_secret.Prefix(matched.group()[:3].decode())
    credential_id = client_secret.credential_id(secret, prefix=prefix)
    if credential_id is not None:
        kind = BY_KEYWORD[f"{prefix}_"].kind
        yield Match(offset, kind, fingerprint(secret), credential_id, encoding=encoding)


def _tokens(block: Block) -> Iterator[Match]:
    for hit in _CLAIMS.finditer(block):
        header = _HEADER.search(bytes(block[max(0, hit.start() - _MAX_HEADER) : hit.start()]))
        # RFC 7519 §5.1, RFC 9068 §2.1: its header says that it is an access token.
        if header is None or str(_json(header.group()).get("typ")).lower().removeprefix("application/") != TYPE:
            continue
        start = hit.start() - len(header.group())
        token = _TOKEN.match(block, start, start + _MAX_TOKEN)
        claims = {} if token is None else _json(token.group().split(b".")[1])
        if token is None or not claims.keys() >= _REQUIRED:
            continue
        expires_at, client_id, credential_id = (claims.get(name) for name in ("exp", "client_id", "credential_id"))
        yield Match(
            start,
            Kind.ACCESS_TOKEN,
            fingerprint(Secret(token.group())),
            _id(credential_id),
            client_id=_id(client_id),
            expires_at=expires_at if type(expires_at) is int else None,
        )


def _json(encoded: bytes) -> dict[str, object]:
    """The JSON object that stands there in base64url; empty when there is none."""
    try:
        found = json.loads(base64.urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4)))
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _id(value: object) -> str | None:
    """An id as we make them: whatever else stands in a file never reaches a terminal."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


_ID = re.compile(r"[0-9A-Za-z_-]{1,128}")
_REQUIRED = {"iss", "aud", "exp", "client_id", "jti"}  # RFC 9068 §2.2
_PLAIN = re.compile(rb"kf[sir]_")
_UTF_16 = re.compile(rb"k\0f\0[sir]\0_\0")
_CLAIMS = re.compile(rb"\.eyJ")
_FORMS: tuple[Callable[[Block], Iterator[Match]], ...] = (_plain, _utf_16, _tokens, _base64)
