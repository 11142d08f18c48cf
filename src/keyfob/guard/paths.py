"""A path that two readers may read as two things is refused before anything is decided on it.

The guard, the framework behind it and a proxy in front each split and decode a path in their own way; what all of them
read alike is all that an honest client sends (RFC 3986 §3.3, §6.2.2).
"""

import re

from keyfob.oauth.errors import InvalidRequest

# An encoded slash, backslash or NUL, also encoded twice; a backslash; what must stand encoded; and `.` or `..`.
_AMBIGUOUS = re.compile(
    rb"%(?:25)*(?:2f|5c|00)|[\\#\x00-\x20\x7f-\xff]|(?:^|/)(?:\.|%(?:25)*2e){1,2}(?:/|;|\Z)", re.IGNORECASE
)

# What most paths are made of, and nothing that could be read as two things: looked for first, since it is quick.
_PLAIN = re.compile(rb"[A-Za-z0-9/_-]*")


def check(path: bytes) -> None:
    """`path` as it came, percent-encoded and without a query. Raises InvalidRequest."""
    if not _PLAIN.fullmatch(path) and _AMBIGUOUS.search(path):
        raise InvalidRequest("the path can be read as two things: no encoded slash or backslash, no dot segments")
