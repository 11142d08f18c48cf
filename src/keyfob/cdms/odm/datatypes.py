"""ODM 1.3.2 §2.14: what a value of each DataType looks like. Values are checked and kept as they are, never changed."""

import base64
import binascii
import calendar
import re
from collections.abc import Callable
from decimal import Decimal

_INTEGER = re.compile(r"[+-]?[0-9]{1,100}")
# xs:decimal: `.94` and `+1` are legal, an exponent is not.
_DECIMAL = re.compile(r"[+-]?(?:[0-9]{1,100}(?:\.[0-9]{0,100})?|\.[0-9]{1,100})")
# The exponent needs its sign: 1E+5. INF and NaN are legal to ODM and no clinical value.
_DOUBLE = re.compile(r"[+-]?(?:[0-9]{1,100}(?:\.[0-9]{0,100})?|\.[0-9]{1,100})(?:[eE][+-][0-9]{1,3})?")
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]:(?:[0-5][0-9])(?:\.[0-9]{1,9})?(?:Z|[+-](?:0[0-9]|1[0-4]):[0-5][0-9])?"
_TIME_ONLY = re.compile(_TIME)
_DATETIME = re.compile(rf"([0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}})T{_TIME}")
_PARTIAL_DATE = re.compile(r"([0-9]{4})(?:-([0-9]{2})(?:-([0-9]{2}))?)?")
_PARTIAL_TIME = re.compile(
    r"(?:[01][0-9]|2[0-3])(?::[0-5][0-9](?::[0-5][0-9](?:\.[0-9]{1,9})?)?)?(?:Z|[+-][0-9]{2}:[0-9]{2})?"
)
_PARTIAL_DATETIME = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2})T(.+)")
_INCOMPLETE_DATE = re.compile(r"(?:[0-9]{4}|-)-(?:[0-9]{2}|-)-(?:[0-9]{2}|-)")
_INCOMPLETE_TIME = re.compile(
    r"(?:[0-9]{2}|-):(?:[0-9]{2}|-):(?:[0-9]{2}(?:\.[0-9]+)?|-)(?:Z|[+-][0-9]{2}:[0-9]{2}|-)?"
)
_HEX = re.compile(r"(?:[0-9a-fA-F]{2})*")
_URI = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\s<>\"{}|\\^`]*")
# XML 1.0 §2.2: other characters could never be exported again.
_XML_TEXT = re.compile("[\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")


def is_text(value: str) -> bool:
    """Whether XML 1.0 can carry it."""
    return _XML_TEXT.fullmatch(value) is not None


def _date(value: str) -> bool:
    found = _DATE.fullmatch(value)
    return found is not None and _is_day(*(int(part) for part in found.groups()))


def _is_day(year: int, month: int, day: int) -> bool:
    return year >= 1 and 1 <= month <= 12 and 1 <= day <= calendar.monthrange(year, month)[1]


def _datetime(value: str) -> bool:
    found = _DATETIME.fullmatch(value)
    return found is not None and _date(found.group(1))


def _partial_date(value: str) -> bool:
    found = _PARTIAL_DATE.fullmatch(value)
    if found is None:
        return False
    year, month, day = (None if part is None else int(part) for part in found.groups())
    assert year is not None
    return _is_day(year, month or 1, day or 1) and month != 0 and day != 0


def _partial_datetime(value: str) -> bool:
    found = _PARTIAL_DATETIME.fullmatch(value)
    if found is None:
        return _partial_date(value)
    return _date(found.group(1)) and _PARTIAL_TIME.fullmatch(found.group(2)) is not None


def _incomplete_datetime(value: str) -> bool:
    date, separator, time = value.partition("T")
    if not _INCOMPLETE_DATE.fullmatch(date):
        return False
    return not separator or _INCOMPLETE_TIME.fullmatch(time) is not None


def _base64(value: str) -> bool:
    try:
        base64.b64decode("".join(value.split()), validate=True)
    except (binascii.Error, ValueError):
        return False
    return True


def _matches(pattern: re.Pattern[str]) -> Callable[[str], bool]:
    return lambda value: pattern.fullmatch(value) is not None


DATA_TYPES: dict[str, Callable[[str], bool]] = {
    "text": is_text,
    "string": is_text,
    "integer": _matches(_INTEGER),
    "float": _matches(_DECIMAL),
    "double": _matches(_DOUBLE),
    "boolean": lambda value: value in ("true", "false", "1", "0"),
    "date": _date,
    "time": _matches(_TIME_ONLY),
    "datetime": _datetime,
    "partialDate": _partial_date,
    "partialTime": _matches(_PARTIAL_TIME),
    "partialDatetime": _partial_datetime,
    "incompleteDate": _matches(_INCOMPLETE_DATE),
    "incompleteTime": _matches(_INCOMPLETE_TIME),
    "incompleteDatetime": _incomplete_datetime,
    "durationDatetime": _matches(re.compile(r"[+-]?P(?=[0-9T])[0-9YMDTHSW.]{1,60}")),
    "intervalDatetime": is_text,
    "hexBinary": _matches(_HEX),
    "hexFloat": _matches(_HEX),
    "base64Binary": _base64,
    "base64Float": _base64,
    "URI": _matches(_URI),
}
"""Each DataType and whether a text is a value of it."""

NUMERIC = frozenset({"integer", "float", "double"})


def number(value: str) -> Decimal:
    """The value of a numeric text, exact, for comparisons."""
    return Decimal(value)


def digits_after_point(value: str) -> int:
    return len(value.partition(".")[2].partition("e")[0].partition("E")[0])
