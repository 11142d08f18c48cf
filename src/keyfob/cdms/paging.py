"""Cursors: opaque, signed, and bound to the client and the list that they were given for."""

import base64
import binascii
import contextlib
import hmac
import json

from keyfob.cdms.problems import ApiProblem
from keyfob.secret import Secret

MAX_LIMIT = 1000
DEFAULT_LIMIT = 100
_TAG_BYTES = 16


def write_cursor(key: Secret, *, bound_to: str, after: str) -> str:
    """A cursor that goes on behind `after`, an opaque id: cursors stand in URLs, and can be read by anybody."""
    content = json.dumps(after).encode()
    return base64.urlsafe_b64encode(_tag(key, bound_to, content) + content).rstrip(b"=").decode()


def read_cursor(key: Secret, cursor: str, *, bound_to: str) -> str:
    """What was written. Raises ApiProblem (400) for another list's, another client's, or an altered one."""
    with contextlib.suppress(ValueError, binascii.Error):
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)) if len(cursor) <= 1024 else b""
        tag, content = raw[:_TAG_BYTES], raw[_TAG_BYTES:]
        if hmac.compare_digest(tag, _tag(key, bound_to, content)):
            after = json.loads(content)
            if isinstance(after, str):
                return after
    raise ApiProblem(400, "bad-cursor", "the cursor is not one of this list: begin again without it")


def read_limit(text: str | None) -> int:
    """Raises ApiProblem (400)."""
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) < 6 and 0 < int(text) <= MAX_LIMIT):
        raise ApiProblem(400, "bad-limit", f"limit is a number from 1 to {MAX_LIMIT}")
    return int(text)


def read_sequence(text: str | None, *, high_water: int) -> int:
    """The sequence number to go on after. Raises ApiProblem (400)."""
    if text is None:
        return 0
    if not (text.isascii() and text.isdigit() and len(text) < 19 and int(text) <= high_water):
        raise ApiProblem(400, "bad-after", f"a sequence number is from 0 to high_water ({high_water})")
    return int(text)


def _tag(key: Secret, bound_to: str, content: bytes) -> bytes:
    return hmac.digest(key.reveal_bytes(), bound_to.encode() + b"\0" + content, "sha256")[:_TAG_BYTES]
