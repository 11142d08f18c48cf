"""RFC 9110 §5.6.7, §10.2.3: the dates in HTTP headers, and how long a server wants to be left alone."""

import re

from keyfob.oauth.wire import Headers, values

_SECONDS = re.compile(rb"[0-9]{1,6}")
_MAX_CHARACTERS = 64


def read(value: bytes) -> int | None:
    """Seconds since 1970 of a date in any of the three forms; None for what is none."""
    from email.utils import mktime_tz, parsedate_tz  # heavy, and needed once in minutes

    try:
        parsed = parsedate_tz(value.decode("ascii")) if len(value) <= _MAX_CHARACTERS else None
        return None if parsed is None else int(mktime_tz(parsed))
    except (ValueError, TypeError, OverflowError):
        return None


def read_date(headers: Headers) -> int | None:
    """RFC 9110 §6.6.1: when the server says that it answered; None where it does not."""
    found = values(headers, b"date")
    return read(found[0]) if len(found) == 1 else None


def read_retry_after(headers: Headers) -> int | None:
    """Seconds; None where nothing usable is said.

    A date counts from the answer's own Date, so that no clock of ours has to be right.
    """
    said = (values(headers, b"retry-after") or [b""])[0].strip()
    # RFC 9110 §10.2.3: seconds, or a date.
    if _SECONDS.fullmatch(said):
        return int(said)
    until, answered = read(said), read_date(headers)
    return None if until is None or answered is None else max(0, until - answered)
