"""What several checks share: texts and files are looked through for secrets and tokens, and judged in one way."""

from collections.abc import Iterable
from pathlib import Path

from keyfob.partner.doctor.check import Outcome, failed, passed, warned
from keyfob.partner.scan import matching, tree
from keyfob.partner.scan.definition import Kind
from keyfob.partner.scan.finding import Finding, Place, Report

MAX_FILES = 5000
MAX_BYTES = 500_000_000
_MAX_FILE = 50_000_000
_MAX_UNPACKED = 50_000_000
_MAX_TOLD = 10
ROTATE = "keyfob rotate && keyfob rotate --finish"


def look_at_texts(texts: Iterable[tuple[str, bytes]]) -> Report:
    """What is in `texts`, each with the name that it is told by."""
    report = Report()
    for name, text in texts:
        report.files += 1
        report.size += len(text)
        report.findings += [Finding(Place(name), 1, match.offset + 1, match) for match in matching.find(text)]
    return report


def look_at_files(paths: Iterable[Path], report: Report) -> bool:
    """Whether there was room for all of `paths`: no more than MAX_FILES and MAX_BYTES are looked into."""
    for path in paths:
        if report.files >= MAX_FILES or report.size >= MAX_BYTES:
            return False
        try:
            small = path.is_file() and path.stat().st_size <= _MAX_FILE
        except OSError:
            small = False
        if small:
            tree.scan_file(path, report, max_unpacked=_MAX_UNPACKED)
    return True


def judge(report: Report, *, now: int, nothing: str, mend: str, live_token_fails: bool = True) -> Outcome:
    """FAIL for a secret and, where `live_token_fails`, for a token that works; WARN for other tokens."""
    secrets = [one for one in report.findings if one.match.kind is not Kind.ACCESS_TOKEN]
    live = [one for one in report.findings if one.match.kind is Kind.ACCESS_TOKEN and not one.expired(now)]
    expired = [one for one in report.findings if one.expired(now)]
    if not report.findings:
        return passed(nothing)
    found = [one.text(now) for one in [*secrets, *live, *expired]]
    details = [*found[:_MAX_TOLD], *([f"and {len(found) - _MAX_TOLD} more"] if len(found) > _MAX_TOLD else [])]
    if secrets:
        return failed(_count(secrets, "secret"), f"{ROTATE}; then {mend}", details)
    if live:
        return (failed if live_token_fails else warned)(_count(live, "access token that works"), mend, details)
    return warned(_count(expired, "access token that has expired"), mend, details)


def _count(found: list[Finding], what: str) -> str:
    if len(found) == 1:
        return f"there is a {what}" if what[0] not in "aeiou" else f"there is an {what}"
    first, _, rest = what.partition(" that ")
    return f"there are {len(found)} {first}s" + (f" that {_PLURALS[rest]}" if rest else "")


_PLURALS = {"works": "work", "has expired": "have expired"}
