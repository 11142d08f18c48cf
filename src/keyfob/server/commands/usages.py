"""`keyfob-server client usage|narrow`: what is granted beside what is used."""

import re
from typing import Any

import click

from keyfob import command
from keyfob.command import Result, shows_result
from keyfob.server.admin import usage as operations
from keyfob.server.admin.usage import MAX_UNUSED_FOR, Narrow, Usage
from keyfob.server.commands.clients import client
from keyfob.server.commands.place import Place, perform, place_options, shown
from keyfob.server.commands.surroundings import Surroundings, reason_option, show_time
from keyfob.server.lifecycle.usage import DAY

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": DAY}


class Duration(click.ParamType[int]):
    """A whole number and its unit, as seconds: `90d`, `12h`, `30m`, `45s`."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        matched = re.fullmatch(r"([0-9]{1,9})([smhd])", value)
        seconds = int(matched[1]) * _UNITS[matched[2]] if matched else 0
        if not 0 < seconds <= MAX_UNUSED_FOR:
            self.fail(f"{value!r} is no duration such as 90d, 12h, 30m or 45s, up to 400d", param, ctx)
        return seconds


_unused_for = click.option(
    "--unused-for",
    type=Duration(),
    default="90d",
    show_default=True,
    metavar="DURATION",
    help="How long a scope must not have been used to count as unused: 90d, 12h, 30m.",
)


@client.command("usage", short_help="Show what a client holds, beside what it used.")
@click.argument("client_id")
@place_options()
@_unused_for
@click.pass_obj
@shows_result
def show(surroundings: Surroundings, *, client_id: str, place: Place, unused_for: int) -> Result:
    """Show each scope that a client holds, how often and when it was last used, and where.

    It is what the guards of the APIs told; how long each has told, and what nobody can have seen, stands below. To take
    away what is unused: client narrow.

    \b
    Example:
      keyfob-server client usage cl_3kD... --home ./operator --unused-for 30d
    """
    asked = Usage(client_id=client_id, unused_for=unused_for)
    done = perform(surroundings, place, operations.SHOW, asked)
    return shown(done, lambda: _text(done.document))


def _text(document: Any) -> str:
    rows = [
        (
            one["scope"],
            one["resource"],
            one["verdict"],
            str(one["count"]),
            "never" if one["last_used_at"] is None else show_time(one["last_used_at"]),
            one["why"] or ", ".join(f"{use['method']} {use['route']}" for use in one["routes"][:3]),
        )
        for one in document["scopes"]
    ]
    lines = [command.table(("scope", "resource", "verdict", "count", "last used", ""), rows), ""]
    lines += [_window(one) for one in document["windows"]]
    lines += [f"not seen: {one}" for one in document["blind_spots"]]
    if any(one["verdict"] == "unused" for one in document["scopes"]):
        lines.append(f"take away what is unused: keyfob-server client narrow {document['client_id']}")
    if document["narrowed_at"] is not None:
        lines.append(f"narrowed at {show_time(document['narrowed_at'])}; undo: keyfob-server client narrow --undo")
    return "\n".join(lines)


def _window(one: Any) -> str:
    if one["began_at"] is None:
        return f"{one['resource']} has never told of its use: see Guard.discover(..., resource_key=...)"
    days = (one["until"] - one["began_at"]) / DAY
    text = f"{one['resource']} told of its use from {show_time(one['began_at'])} to {show_time(one['until'])}"
    missing = f", but for {one['unseen_seconds'] / 3600:.1f} hours" if one["unseen_seconds"] else ""
    return f"{text} ({days:.1f} days{missing})"


@client.command("narrow", short_help="Narrow a client to what it used, or undo that.")
@click.argument("client_id")
@place_options()
@_unused_for
@click.option("--undo", is_flag=True, help="Give back what the last narrowing took away.")
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@reason_option(dry_run=False)
@click.pass_obj
@shows_result
def narrow(
    surroundings: Surroundings, *, client_id: str, place: Place, unused_for: int, undo: bool, dry_run: bool
) -> Result:
    """Take away the scopes that a client has not used, as `client usage` tells; the next token is without them.

    What is unknown stays. A token from before is refused within 5 seconds, so that the client asks for a new one.

    \b
    Example:
      keyfob-server client narrow cl_3kD... --home ./operator --unused-for 30d --dry-run
      keyfob-server client narrow cl_3kD... --home ./operator --undo
    """
    asked = Narrow(client_id=client_id, unused_for=unused_for, dry_run=dry_run, undo=undo)
    done = perform(surroundings, place, operations.NARROW, asked)

    def text() -> str:
        said = "would change" if dry_run else "changed"
        lines = [f"{said} {client_id}"]
        for what in ("before", "after"):
            lines += [f"  {what:7} {one['resource']}: {one['scope']}" for one in _grants(done.document, what)]
        if not dry_run and not undo:
            lines.append(f"undo: keyfob-server client narrow {client_id} --undo")
        return "\n".join(lines)

    return shown(done, text)


def _grants(document: Any, name: str) -> list[dict[str, str]]:
    listed: list[dict[str, str]] = document[name]
    return listed
