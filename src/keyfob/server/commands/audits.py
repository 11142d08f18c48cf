"""`keyfob-server audit`: reading the trail, and proving that it is whole."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click

from keyfob import ledger
from keyfob.command import Result, progress, shows_result
from keyfob.problem import Problem
from keyfob.server.audit import chain, events
from keyfob.server.commands.surroundings import Surroundings, home_option, opened

_MAX_SHOWN = 100_000


@click.group()
def audit() -> None:
    """The record of every change and of every token."""


@audit.command()
@home_option()
@click.option(
    "--count", type=click.IntRange(1, _MAX_SHOWN), default=20, show_default=True, help="How many of the last records."
)
@click.pass_obj
@shows_result
def tail(surroundings: Surroundings, *, home: Path, count: int) -> Result:
    """The last records, the newest at the end.

    \b
    Example:
      keyfob-server audit tail --home ./operator --count 50
    """
    with opened(surroundings, home) as installation:
        entries = installation.store.audit_tail(count)
    records = [
        {"writer": entry.writer, "sequence": entry.sequence, "at": entry.at, **_fields(entry)} for entry in entries
    ]
    return Result({"records": records}, "\n".join(_line(record) for record in records) or "(none)")


@audit.command(short_help="Walk the trail and say whether it is whole.")
@home_option()
@click.option("--expect", metavar="HEAD", help="A head that was noted earlier: finds a tail that was cut off since.")
@click.pass_obj
@shows_result
def verify(surroundings: Surroundings, *, home: Path, expect: str | None) -> Result:
    """Walk the whole trail and say whether a record was altered, deleted, inserted or moved.

    A chain cannot show that its end was cut off. So note the head that is printed somewhere else, and give it with
    --expect the next time. Exit status 1 when the trail is not whole.

    \b
    Example:
      keyfob-server audit verify --home ./operator --expect 17:5f0c...
    """
    expected = None if expect is None else chain.Heads.parse(expect)
    with opened(surroundings, home) as installation, progress("verifying the audit trail"):
        verdict = installation.store.audit_verdict(expect=expected)
    if verdict.findings:
        raise Problem(
            "audit-not-whole",
            f"the audit trail is not whole: {'; '.join(verdict.findings)}",
            hint="keep a copy of the database as it is, and compare it with a backup",
        )
    tail_proven = expected is not None
    document = {
        "whole": True,
        "records": verdict.count,
        "head": str(verdict.heads),
        "expected": None if expected is None else str(expected),
    }
    completeness = "it holds the expected head" if tail_proven else "whether its end was cut off: unproven (--expect)"
    return Result(document, f"whole: {verdict.count} records; {completeness}\nhead {verdict.heads}")


def _fields(entry: ledger.Entry) -> dict[str, object]:
    """A record that cannot be read is shown as such: `verify` says what is wrong with it."""
    try:
        return events.read(entry.payload or b"")
    except ValueError:
        return {"kind": "unreadable"}


def _line(record: dict[str, object]) -> str:
    at = _show_exactly(record["at"])
    rest = {name: value for name, value in record.items() if name not in ("writer", "sequence", "at", "kind", "actor")}
    # As JSON: what came from the network cannot draw on the operator's terminal.
    said = " ".join(f"{name}={json.dumps(value)}" for name, value in rest.items() if value is not None)
    number = str(record["sequence"]) if record["writer"] == chain.MAIN else f"{record['writer']}@{record['sequence']}"
    return f"{number}  {at}  {json.dumps(record['kind'])[1:-1]}  {json.dumps(record.get('actor'))}  {said}"


def _show_exactly(at: object) -> str:
    """A row that was tampered with may hold any number."""
    try:
        return datetime.fromtimestamp(int(str(at)), UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    except (ValueError, OverflowError, OSError):
        return str(at)
