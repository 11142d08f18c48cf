"""RFC 6749 appendix B: `application/x-www-form-urlencoded`, read strictly."""

import re
from collections.abc import Mapping
from urllib.parse import urlencode

from keyfob.oauth.errors import InvalidRequest

MAX_PARAMETERS = 64
_CONTENT_TYPE = re.compile(
    r'\s*application/x-www-form-urlencoded\s*(;\s*charset\s*=\s*"?utf-?8"?\s*;?\s*)?', re.IGNORECASE
)
_PLAIN = re.compile(rb"[A-Za-z0-9._~:/ -]*")
_ENCODED = re.compile(rb"(?:[^%]|%[0-9A-Fa-f]{2})*")


def parse(content_type: str | None, body: bytes) -> dict[str, str]:
    """The parameters of a form. One with an empty value is left out: RFC 6749 §3.2 treats it as omitted.

    Raises InvalidRequest for another content type, a repeated parameter, a broken percent-escape, what is not UTF-8,
    and NUL. A text names a parameter only where it is a plain word, and never a value.
    """
    # RFC 6749 §4.4.2, appendix B: a form in UTF-8 and nothing else.
    if content_type is None or not _CONTENT_TYPE.fullmatch(content_type):
        raise InvalidRequest("the body must be application/x-www-form-urlencoded in UTF-8")
    if not body:
        return {}
    pairs = body.split(b"&")
    if len(pairs) > MAX_PARAMETERS:
        raise InvalidRequest(f"more than {MAX_PARAMETERS} parameters")
    found: dict[str, str] = {}
    for pair in pairs:
        if not pair:
            continue
        name, _, value = pair.partition(b"=")
        key = decode(name)
        # RFC 6749 §3.2: parameters must not be included more than once.
        if key in found:
            raise InvalidRequest(f"the parameter {_shown(key)} is repeated")
        found[key] = decode(value)
    # RFC 6749 §3.2: a parameter without a value counts as left out.
    return {name: value for name, value in found.items() if value}


def decode(text: bytes) -> str:
    """One percent-encoded name or value, `+` for a space. Raises InvalidRequest."""
    if _PLAIN.fullmatch(text):
        return text.decode("ascii")
    if not _ENCODED.fullmatch(text):
        raise InvalidRequest("a percent-escape is malformed")
    # RFC 6749 appendix B: a plus is a space.
    raw = text.replace(b"+", b" ")
    # RFC 6749 appendix B: percent-escapes are octets.
    if b"%" in raw:
        first, *rest = raw.split(b"%")
        raw = first + b"".join(bytes([int(part[:2], 16)]) + part[2:] for part in rest)
    try:
        decoded = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise InvalidRequest("a parameter is not UTF-8") from None
    if "\0" in decoded:
        raise InvalidRequest("a parameter holds NUL")
    return decoded


def write(parameters: Mapping[str, str]) -> bytes:
    """The parameters as a form body."""
    return urlencode(list(parameters.items())).encode("ascii")


def _shown(name: str) -> str:
    # A repeated "name" may be a mis-pasted secret: only the words of the protocol are echoed.
    return name if re.fullmatch(r"[a-z_]{1,32}", name) else "(unnamed)"
