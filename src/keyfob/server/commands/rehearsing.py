"""`--dry-run` of an act: it is done to the point where it would become true, and taken back."""

import functools
import json
from collections.abc import Callable
from typing import Any

import click

from keyfob.server.audit import events
from keyfob.server.storage.rehearsal import Rehearsed

_REHEARSES = "keyfob.rehearses"


def rehearsable(function: Callable[..., None]) -> Callable[..., None]:
    """Adds --dry-run, which shows what the audit would say: all that is checked before an act is checked."""

    @click.option("--dry-run", is_flag=True, help="Show what would be recorded, and change nothing.")
    @functools.wraps(function)
    def command(*arguments: Any, dry_run: bool, **options: Any) -> None:
        click.get_current_context().meta[_REHEARSES] = dry_run
        try:
            function(*arguments, **options)
        except Rehearsed as done:
            found = [events.read(events.write(event)) for event in done.events]
            if options.get("as_json"):
                click.echo(json.dumps({"dry_run": True, "would_record": found}, ensure_ascii=False))
            else:
                click.echo("\n".join(["nothing was changed; the audit would say:", *map(_line, found)]))

    return command


def is_rehearsal() -> bool:
    """Whether the command that runs is to change nothing."""
    context = click.get_current_context(silent=True)
    return context is not None and bool(context.meta.get(_REHEARSES))


def _line(record: dict[str, object]) -> str:
    fields = [f"{name}={json.dumps(value, ensure_ascii=False)}" for name, value in record.items() if name != "kind"]
    return " ".join([f"  {record['kind']}", *fields])
