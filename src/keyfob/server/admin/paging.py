"""Cursors: where a list goes on, as JSON in base64url. Whoever may read the list may read them; none is believed."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from typing import TypeVar

from keyfob.oauth import strict_json
from keyfob.problem import Misuse

T = TypeVar("T")


def write_cursor(after: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(after, separators=(",", ":")).encode()).rstrip(b"=").decode()


def read_cursor(cursor: str | None, *, is_one: Callable[[object], bool]) -> object:
    """What was written, if it is of that form; None for none. Raises Misuse."""
    if cursor is None:
        return None
    try:
        found = strict_json.parse(base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True))
    except (ValueError, binascii.Error):
        found = None
    if found is None or not is_one(found):
        raise Misuse("bad-cursor", "the cursor is none of this list", hint="begin again without it")
    return found


def page(
    found: Sequence[T], *, limit: int, cursor: str | None, key: Callable[[T], str]
) -> tuple[Sequence[T], str | None]:
    """A part of a short list that is in the order of `key`, and the cursor of the next part."""
    after = read_cursor(cursor, is_one=lambda one: isinstance(one, str))
    rest = [one for one in found if after is None or key(one) > str(after)]
    return rest[:limit], write_cursor(key(rest[limit - 1])) if len(rest) > limit else None
