"""What the four programs share at the command line: `--json`, exit codes, one clear line on stderr with a hint.

With `--json`, stdout is exactly one JSON document, an error included. Exit codes: 0 done, 2 misuse, 1 otherwise.
"""

import functools
import getpass
import importlib
import json
import os
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

import click

from keyfob import __version__
from keyfob.patience import asking, progress
from keyfob.problem import Misuse, Problem

__all__ = [
    "HELP", "Result", "Imported", "shows_result", "table", "read_file", "progress", "asking", "is_attended",
    "system_user", "version_option", "refuse", "run",
]  # fmt: skip

HELP: dict[str, Any] = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
"""The context settings of each program."""


@dataclass(frozen=True, slots=True)
class Result:
    """What a command found: `document` for `--json`, `text` for a person, and the exit code."""

    document: Mapping[str, object]
    text: str
    exit_code: int = 0


class Imported(Mapping[str, click.Command]):
    """Commands that are imported when they are asked for: for most of them, imports are most of their time.

    `places` gives for a command's name `module:attribute`, and then the modules that add commands of their own to it.
    """

    def __init__(self, package: str, places: Mapping[str, Sequence[str]]) -> None:
        self._package = package
        self._places = places

    def __getitem__(self, name: str) -> click.Command:
        place, *more = self._places[name]
        module, _, attribute = place.partition(":")
        for other in more:
            importlib.import_module(f"{self._package}.{other}")
        found = getattr(importlib.import_module(f"{self._package}.{module}"), attribute)
        assert isinstance(found, click.Command)
        return found

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def __len__(self) -> int:
        return len(self._places)


def shows_result(function: Callable[..., Result]) -> Callable[..., None]:
    """A command that returns a Result; adds `--json` and prints the one or the other form."""

    @click.option("--json", "as_json", is_flag=True, help="Print exactly one JSON document.")
    @functools.wraps(function)
    def command(*args: Any, as_json: bool, **options: Any) -> None:
        result = function(*args, **options)
        click.echo(json.dumps(result.document, ensure_ascii=False) if as_json else result.text)
        if result.exit_code:
            raise click.exceptions.Exit(result.exit_code)

    return command


def table(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Aligned columns, two spaces apart; "(none)" where there are no rows."""
    if not rows:
        return "(none)"
    lines = [list(headings), *[list(row) for row in rows]]
    widths = [max(len(line[column]) for line in lines) for column in range(len(headings))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def read_file(path: Path, *, max_bytes: int) -> bytes:
    """A file that was named on the command line. Raises Misuse."""
    try:
        with path.open("rb") as file:
            content = file.read(max_bytes + 1)
    except OSError as failed:
        raise Misuse("file-unreadable", f"{path} cannot be read: {failed.strerror}", hint="name another file") from None
    if len(content) > max_bytes:
        raise Misuse("file-too-large", f"{path} is larger than {max_bytes} bytes", hint="name the right file")
    return content


def is_attended() -> bool:
    """Whether a person may be asked: at a terminal, and not with `--json`, which is for programs."""
    context = click.get_current_context(silent=True)
    as_json = context is not None and bool(context.params.get("as_json"))
    return not as_json and sys.stdin is not None and sys.stdin.isatty()


def system_user() -> str:
    """Who types: the user of the operating system. Not what LOGNAME says, which anybody can set."""
    if os.name == "posix":
        import pwd

        try:
            return pwd.getpwuid(os.getuid()).pw_name
        except KeyError:
            return f"uid-{os.getuid()}"
    return getpass.getuser()


def version_option() -> Callable[[click.Group], click.Group]:
    return click.version_option(__version__, "--version", message="%(prog)s %(version)s")


def refuse(program: str, problem: Problem, argv: Sequence[str] | None = None) -> NoReturn:
    """End `program` as `run` does when `problem` is raised."""
    arguments = sys.argv[1:] if argv is None else argv
    as_json = "--json" in arguments
    _fail(program, problem.code, problem.message, problem.hint, problem.exit_code, problem.more, as_json=as_json)


def run(cli: click.Command, program: str, argv: Sequence[str] | None = None) -> NoReturn:
    """Run a program to its exit code. A Problem is one line and a hint; nothing else is caught."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in arguments
    try:
        status = cli.main(arguments, prog_name=program, standalone_mode=False)
    except Problem as problem:
        refuse(program, problem, arguments)
    except click.Abort:
        # Ctrl-C may have come after the commit, so nothing is promised.
        _fail(program, "aborted", "stopped", "see whether it was done before you do it again", 1, as_json=as_json)
    except click.exceptions.NoArgsIsHelpError as asked:
        click.echo(asked.ctx.get_help(), err=True)
        sys.exit(2)
    except click.UsageError as usage:
        hint = f"see {usage.ctx.command_path} --help" if usage.ctx else f"see {program} --help"
        _fail(program, "usage", usage.format_message(), hint, 2, as_json=as_json)
    except click.ClickException as refused:
        _fail(program, "error", refused.format_message(), "", refused.exit_code, as_json=as_json)
    except BrokenPipeError:
        # The reader went away (`| head`): not an error of ours, and no traceback at exit either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    sys.exit(status if isinstance(status, int) else 0)  # click gives back the status of an Exit


def _fail(
    program: str,
    code: str,
    message: str,
    hint: str,
    status: int,
    more: Mapping[str, object] | None = None,
    *,
    as_json: bool,
) -> NoReturn:
    click.echo(f"{program}: {message}" + (f"\n  hint: {hint}" if hint else ""), err=True)
    if as_json:
        click.echo(json.dumps({"error": code, "message": message, "hint": hint, **(more or {})}, ensure_ascii=False))
    sys.exit(status)
