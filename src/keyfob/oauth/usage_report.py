"""What an API's guard tells the issuer of its use: which client used which scope, on which route, how often.

A report is a delta, and is counted once: the same reporter and sequence number again is the same report. Routes are
templates: no path, which may name a person, leaves an API.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

from keyfob.oauth import strict_json
from keyfob.oauth.errors import InvalidRequest

PARAMETER = "report"
MAX_USES = 200
"""Of one report; with the longest names it stays below the 64 KiB of a request."""
UNNAMED = "-"
"""The route of what has no template, or none that can be told."""
_MAX_NUMBER = 2**53
_NAME = re.compile(r"[!-~]{1,128}")
_ROUTE = re.compile(r"[!-~]{1,120}")
_METHOD = re.compile(r"[A-Z]{1,16}")


@dataclass(frozen=True, slots=True)
class Use:
    """`count` requests of one client with one scope at one route; the last at `last_used` (seconds since 1970)."""

    client_id: str
    scope: str
    method: str
    route: str
    count: int
    last_used: int


@dataclass(frozen=True, slots=True)
class Report:
    """All uses that `reporter` (one process of an API, by a random name) saw from `began_at` to `until`."""

    reporter: str
    sequence: int
    began_at: int
    until: int
    uses: tuple[Use, ...]


def tellable(route: str) -> str:
    """A route's template as it stands in a report."""
    return route if _ROUTE.fullmatch(route) else UNNAMED


def write(report: Report) -> dict[str, str]:
    """The form's parameter."""
    document = {
        "reporter": report.reporter,
        "sequence": report.sequence,
        "began_at": report.began_at,
        "until": report.until,
        "uses": [[use.client_id, use.scope, use.method, use.route, use.count, use.last_used] for use in report.uses],
    }
    return {PARAMETER: json.dumps(document, separators=(",", ":"))}


def read(form: Mapping[str, str]) -> Report:
    """The report of a request. Raises InvalidRequest."""
    try:
        document = strict_json.parse(form[PARAMETER])
        if not isinstance(document, dict) or not isinstance(listed := document["uses"], list):
            raise ValueError("it is no report")
        if len(listed) > MAX_USES:
            raise ValueError("it has too many uses")
        report = Report(
            _text(document["reporter"], _NAME),
            _number(document["sequence"]),
            _number(document["began_at"]),
            _number(document["until"]),
            tuple(map(_use, listed)),
        )
        if report.began_at > report.until:
            raise ValueError("it ends before it begins")
    except (KeyError, ValueError) as wrong:
        raise InvalidRequest("the report cannot be read", detail=str(wrong)) from wrong
    return report


def _use(listed: object) -> Use:
    if not isinstance(listed, list) or len(listed) != 6:
        raise ValueError("a use is no list of six")
    client_id, scope, method, route, count, last_used = listed
    return Use(
        _text(client_id, _NAME),
        _text(scope, _NAME),
        _text(method, _METHOD),
        _text(route, _ROUTE),
        _number(count),
        _number(last_used),
    )


def _text(value: object, form: re.Pattern[str]) -> str:
    if not isinstance(value, str) or not form.fullmatch(value):
        raise ValueError("a name is missing or malformed")
    return value


def _number(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_NUMBER:
        raise ValueError("a number is missing or malformed")
    return value
