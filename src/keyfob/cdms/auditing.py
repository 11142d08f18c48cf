"""`keyfob-cdms audit`: a study's trail is proven whole, copied out, and in the one lawful case redacted."""

import contextlib
import csv
import io
import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import click

from keyfob import home as homes
from keyfob import ledger
from keyfob.cdms.options import PATH, Ground, home_option, open_home
from keyfob.cdms.storage.reading import Reading
from keyfob.cdms.storage.records import Actor
from keyfob.command import Result, progress, shows_result, system_user
from keyfob.problem import Misuse

_COLUMNS = (
    "seq", "at", "action", "subject_id", "event", "event_repeat", "form", "form_repeat", "item_group",
    "item_group_repeat", "item", "old", "new", "reason", "client_id", "token_id", "operator", "batch", "more",
)  # fmt: skip


@click.group()
def audit() -> None:
    """The audit trail of clinical data."""


@audit.command(short_help="Check that a study's audit trail is whole.")
@click.argument("study")
@home_option
@click.option("--expect", metavar="HEAD", help="A head that was noted earlier: finds a cut tail.")
@click.pass_obj
@shows_result
def verify(ground: Ground, *, study: str, home: Path, expect: str | None) -> Result:
    """Check that the audit trail of STUDY (its OID) is whole, and print its head.

    \b
    Example:
      keyfob-cdms audit verify S.1 --home ./cdms
    """
    head = None if expect is None else ledger.Head.parse(expect)
    with contextlib.closing(open_home(home, ground)) as found, progress("verifying the audit trail"):
        with found.store.reading() as reading:
            check_study(reading, study)
        verdict = found.store.check_audit(study, expect=head)
    document = {"whole": True, "records": verdict.count, "head": str(verdict.head)}
    return Result(document, f"whole: {verdict.count} records; head {verdict.head}")


@audit.command(short_help="Copy a study's audit trail out.")
@click.argument("study")
@click.argument("file", type=PATH, metavar="FILE")
@home_option
@click.option("--subject", metavar="ID", help="Only this subject's, by its subject_id.")
@click.option("--format", "form", type=click.Choice(["csv", "ndjson"]), default="csv", show_default=True)
@click.pass_obj
@shows_result
def export(ground: Ground, *, study: str, file: Path, home: Path, subject: str | None, form: str) -> Result:
    """Copy the audit trail of STUDY (its OID) into the new FILE: CSV for people, or a line of JSON for each record.

    It holds every value that was ever stored, also identifying ones: FILE is made readable for you alone.

    \b
    Example:
      keyfob-cdms audit export S.1 trail.csv --home ./cdms
    """
    with contextlib.closing(open_home(home, ground)) as found, found.store.reading() as reading:
        check_study(reading, study)
        if subject is not None and reading.find_subject(study, subject_id=subject) is None:
            raise Misuse("unknown-subject", "the study has no such subject", hint="give its subject_id: sub_...")
        events = list(_events(reading, study, subject))
    content = _csv(events) if form == "csv" else "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in events)
    homes.write_new_file(file, content.encode())
    document = {"file": str(file), "study": study, "records": len(events)}
    return Result(document, f"{file}: {len(events)} records of {study}")


@audit.command(short_help="Take away what should never have been entered.")
@click.argument("study")
@click.argument("sequences", metavar="NUMBER...", type=click.IntRange(min=1), nargs=-1, required=True)
@home_option
@click.option("--reason", required=True, metavar="TEXT", help="Why: it stands in the audit trail.")
@click.pass_obj
@shows_result
def redact(ground: Ground, *, study: str, sequences: tuple[int, ...], home: Path, reason: str) -> Result:
    """Take the content of audit records of STUDY (its OID) away for good, by their NUMBERs.

    For the rare case that personal data were entered by mistake. The records stay in their places, the trail stays
    whole, and a record of its own tells which were redacted, when, by whom and why. The file in which a value came
    goes with it. A value that is still stored has to be removed first; name the record of the removal, too, which
    tells of it.

    \b
    Example:
      keyfob-cdms audit redact S.1 17 23 --reason "name of a relative in a comment" --home ./cdms
    """
    if not reason.strip():
        raise Misuse("reason-required", "a redaction needs a reason", hint="give it with --reason")
    actor = Actor(None, None, system_user())
    with contextlib.closing(open_home(home, ground)) as found:
        with found.store.writing(actor=actor, now=ground.clock()) as writing:
            check_study(writing.reading, study)
            writing.take(study)
            try:
                writing.redact(study, sequences, reason=reason.strip())
            except ValueError as wrong:
                raise Misuse("not-redacted", f"nothing was redacted: {wrong}", hint="see audit export") from None
        verdict = found.store.check_audit(study)
    document = {"study": study, "redacted": sorted(set(sequences)), "head": str(verdict.head)}
    return Result(document, f"redacted {len(document['redacted'])} records of {study}; head {verdict.head}")


def check_study(reading: Reading, study: str) -> None:
    """Raises Misuse when there is no study with that OID."""
    if reading.find_study(oid=study) is None:
        known = ", ".join(one.oid for one in reading.studies()) or "none yet"
        raise Misuse("unknown-study", f"there is no study {study}", hint=f"studies here: {known}")


def _events(reading: Reading, study: str, subject: str | None) -> Iterator[dict[str, object]]:
    for entry in reading.audit(study, after=0, subjects=None if subject is None else [subject]):
        at = datetime.fromtimestamp(entry.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {"action": "redacted"} if entry.payload is None else json.loads(entry.payload)
        yield {"seq": entry.sequence, "at": at, **event}


def _csv(events: list[dict[str, object]]) -> str:
    """A row for each record, RFC 4180; what has no column of its own stands as JSON in `more`."""
    text = io.StringIO()
    rows = csv.DictWriter(text, _COLUMNS)
    rows.writeheader()
    for event in events:
        place = event.pop("place", None)
        flat = {**event, **(place if isinstance(place, dict) else {})}
        more = {name: value for name, value in flat.items() if name not in _COLUMNS}
        shown = {name: _cell(value) for name, value in flat.items() if name in _COLUMNS}
        rows.writerow({**shown, "more": _cell(more) if more else ""})
    return text.getvalue()


def _cell(value: object) -> str:
    """A spreadsheet must not take a value for a formula: one that begins like one is quoted as JSON is."""
    text = value if isinstance(value, str) else "" if value is None else json.dumps(value, ensure_ascii=False)
    return json.dumps(text, ensure_ascii=False) if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text
