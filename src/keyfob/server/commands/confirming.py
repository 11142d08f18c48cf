"""Before what cannot be taken back: `--dry-run` shows whom it concerns, and whoever does it says its name."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click

from keyfob import command
from keyfob.problem import Misuse, Problem


@dataclass(frozen=True, slots=True)
class Said:
    """What the command line says: `yes` do not ask; `confirm` the name, typed beforehand; `dry_run` only show."""

    dry_run: bool
    yes: bool
    confirm: str | None


def words(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --yes and --confirm."""
    function = click.option("--confirm", metavar="NAME", help="The name, given beforehand: nobody is asked.")(function)
    return click.option("--yes", is_flag=True, help="Do not ask.")(function)


def options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Adds --dry-run, --yes and --confirm."""
    return click.option("--dry-run", is_flag=True, help="Show whom it concerns, and change nothing.")(words(function))


def check(said: Said, question: str, name: str, *, instead: str, needs_word: bool = True) -> None:
    """Raises Misuse or Problem unless `name` was said: on a terminal it is typed, not nodded to.

    Without a terminal it must stand on the command line, unless `needs_word` is False. `instead`: the milder act.
    """
    if said.confirm is not None:
        if said.confirm != name:
            raise Misuse("not-confirmed", f"--confirm is not {name!r}: nothing was done", hint="see what it names")
        return
    if said.yes or said.dry_run:
        return
    if command.is_attended():
        typed = click.prompt(f"{question} for good? Type its name, {name}", err=True, default="", show_default=False)
        if typed != name:
            raise Problem("not-confirmed", "nothing was done", hint=instead)
    elif needs_word:
        raise Misuse(
            "not-confirmed", f"this cannot be taken back: {question}?", hint=f"add --confirm {name!r}, or --yes"
        )
