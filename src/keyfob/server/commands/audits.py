"""`keyfob-server audit`: reading the trail, and proving that it is whole."""

import json
from datetime import UTC, datetime

import click

from keyfob.command import Result, progress, shows_result
from keyfob.server.admin import audits
from keyfob.server.admin.audits import Verdict
from keyfob.server.audit import chain
from keyfob.server.commands.place import Place, listed, perform, perform_all, place_options
from keyfob.server.commands.surroundings import Surroundings

_MAX_SHOWN = 100_000


@click.group()
def audit() -> None:
    """The record of every change and of every token."""


@audit.command()
@place_options()
@click.option(
    "--count", type=click.IntRange(1, _MAX_SHOWN), default=20, show_default=True, help="How many of the last records."
)
@click.pass_obj
@shows_result
def tail(surroundings: Surroundings, *, place: Place, count: int) -> Result:
    """The last records, the newest at the end.

    \b
    Example:
      keyfob-server audit tail --home ./operator --count 50
    """
    document = perform_all(surroundings, place, audits.TAIL, count=count)
    records = listed(document, "records")[::-1]
    return Result({"records": records}, "\n".join(_line(record) for record in records) or "(none)")


@audit.command(short_help="Walk the trail and say whether it is whole.")
@place_options()
@click.option("--expect", metavar="HEAD", help="A head that was noted earlier: finds a tail that was cut off since.")
@click.option("--since", metavar="HEAD", help="A head up to which it was found whole: only what came later is walked.")
@click.pass_obj
@shows_result
def verify(surroundings: Surroundings, *, place: Place, expect: str | None, since: str | None) -> Result:
    """Walk the whole trail and say whether a record was altered, deleted, inserted or moved.

    A chain cannot show that its end was cut off. So note the head that is printed somewhere else, and give it with
    --expect the next time; or, where the trail has grown long, with --since: then what it names must still be there,
    and what came after it is walked. Exit status 1 when the trail is not whole.

    \b
    Example:
      keyfob-server audit verify --home ./operator --expect 17:5f0c...
    """
    expected, begun = (None if head is None else str(chain.Heads.parse(head)) for head in (expect, since))
    with progress("verifying the audit trail"):
        document = perform(surroundings, place, audits.VERIFY, Verdict(expect=expected, since=begun)).document
    # A server of an older version walks all, and says nothing of it.
    is_proven = document["expected"] is not None or document.get("since") is not None
    completeness = "it holds the expected head" if is_proven else "whether its end was cut off: unproven (--expect)"
    return Result(document, f"whole: {document['records']} records; {completeness}\nhead {document['head']}")


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
