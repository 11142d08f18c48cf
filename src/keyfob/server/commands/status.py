"""`keyfob-server status`: one screen of what needs attention, and what mends it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import click

from keyfob.command import Result, shows_result, table
from keyfob.server.admin.operation import Nothing
from keyfob.server.admin.standing import STATUS
from keyfob.server.commands.place import Place, perform, place_options
from keyfob.server.commands.surroundings import Surroundings, show_time
from keyfob.server.lifecycle.rotation import DAY

_MAX_ROWS = 8
"""Of each kind, on the screen; `--json` has all."""


@dataclass(frozen=True, slots=True)
class _Section:
    """`rows` need attention; `hint` is the command that mends them."""

    title: str
    good: str
    headings: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = field(default_factory=tuple)
    hint: str = ""


@click.command(short_help="Say in one screen what needs attention.")
@place_options()
@click.pass_obj
@shows_result
def status(surroundings: Surroundings, *, place: Place) -> Result:
    """Say in one screen what needs attention, and the command that mends it.

    Secrets that expire within 30 days and certificates within 10; sealed messages that nobody has used for a day; old
    secrets that are still used while a newer one works; keys that are due; notices that did not arrive; and whether
    the newest records of the audit are whole (audit verify walks all of them).

    Exit status 0 when nothing needs attention, 1 when something does.

    \b
    Example:
      keyfob-server status --home ./operator
    """
    found = perform(surroundings, place, STATUS, Nothing()).document
    return Result(found, _text(found), exit_code=int(bool(found["needs_attention"])))


def _sections(found: dict[str, Any]) -> list[_Section]:
    now, audit, who = found["at"], found["audit"], ("PARTNER", "CLIENT", "NAME")
    return [
        _Section(
            "credentials that expire",
            "none within 30 days",
            (*who, "EXPIRES", "LAST USE"),
            [
                (*_who(one), _until(one["expires_at"], now), show_time(one["last_used_at"]))
                for one in found["expiring_credentials"]
            ],
            "keyfob-server client rotate CLIENT",
        ),
        _Section(
            "certificates that expire",
            "none within 10 days",
            ("PARTNER", "FINGERPRINT", "EXPIRES"),
            [
                (one["partner"], one["fingerprint"], _until(one["expires_at"] or 0, now))
                for one in found["expiring_certificates"]
            ],
            "keyfob-server partner renew PARTNER --certificate FILE.asc",
        ),
        _Section(
            "sealed messages not opened",
            "none for longer than a day",
            (*who, "SEALED", "USE BY"),
            [
                (*_who(one), show_time(one["sealed_at"]), show_time(one["first_use_by"]))
                for one in found["unopened_messages"]
            ],
            "ask the partner; to seal anew: keyfob-server client rotate CLIENT",
        ),
        _Section(
            "old secrets still in use",
            "none",
            (*who, "LAST USE", "FROM", "STOPS"),
            [
                (
                    *_who(one),
                    show_time(one["last_used_at"]),
                    one["last_used_from"] or "-",
                    _until(one["overlap_ends_at"] or 0, now),
                )
                for one in found["old_secrets_in_use"]
            ],
            "tell the partner which address still uses the old one",
        ),
        _Section(
            "changes that partners asked for",
            "none announced",
            ("ANNOUNCEMENT", "CLIENT", "COUNTS FROM"),
            [
                (one["announcement_id"], one["client_id"], show_time(one["takes_effect_at"]))
                for one in found["announced_changes"]
            ],
            "nothing, where the partner knows of it; else: keyfob-server announcement stop ANNOUNCEMENT",
        ),
        _Section("keys due", "none", ("WHAT",), [(one,) for one in found["keys_due"]], "see the line"),
        _Section(
            "notices not delivered",
            "none",
            ("NOTICE", "KIND", "FOR", "BY", "REASON"),
            [
                (
                    one["id"],
                    one["kind"],
                    one["partner"] if one["recipient"] == "partner" and one["partner"] else one["recipient"],
                    one["channel"],
                    one["reason"] or "no way was set: mail.host",
                )
                for one in found["undelivered_notices"]
            ],
            "mend the reason, then: keyfob-server notice retry --all",
        ),
        _Section(
            "audit",
            f"the newest {audit['records']} records are whole",
            ("FINDING",),
            [(finding,) for finding in audit["findings"]],
            "keyfob-server audit verify; keep a copy of the database as it is",
        ),
    ]


def _text(found: dict[str, Any]) -> str:
    """Colours are left out by whoever prints it to something that is no terminal."""
    sections = _sections(found)
    count = sum(len(section.rows) for section in sections)
    verdict = click.style("all is well", fg="green") if not count else click.style(f"{count} to look at", fg="yellow")
    lines = [f"{click.style(found['issuer'], bold=True)}  {show_time(found['at'])}  {verdict}", ""]
    for section in sections:
        if not section.rows:
            lines.append(f"{click.style('ok', fg='green')}  {section.title}: {section.good}")
            continue
        lines.append(f"{click.style('!!', fg='yellow', bold=True)}  {click.style(section.title, bold=True)}")
        shown = table(section.headings, section.rows[:_MAX_ROWS])
        lines += [f"      {line}" for line in shown.splitlines()]
        if len(section.rows) > _MAX_ROWS:
            lines.append(f"      and {len(section.rows) - _MAX_ROWS} more (--json has all)")
        lines.append(f"      {click.style('->', fg='cyan')} {section.hint}")
    return "\n".join(lines)


def _who(one: dict[str, Any]) -> tuple[str, str, str]:
    return one["partner"], one["client_id"], one["name"]


def _until(at: int, now: int) -> str:
    days = abs(at - now) // DAY
    return f"{show_time(at)[:10]} ({'in ' if at > now else ''}{days} d{'' if at > now else ' ago'})"
