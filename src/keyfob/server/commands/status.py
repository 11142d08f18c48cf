"""`keyfob-server status`: one screen of what needs attention, and what mends it."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click

from keyfob import tls
from keyfob.command import Result, shows_result, table
from keyfob.problem import Problem
from keyfob.server import attention
from keyfob.server.admin import announcements
from keyfob.server.attention import Books
from keyfob.server.audit import chain
from keyfob.server.commands import notices
from keyfob.server.commands.surroundings import Surroundings, home_option, opened, show_time
from keyfob.server.installation import Installation
from keyfob.server.lifecycle import signing_keys
from keyfob.server.lifecycle.announcements import waiting
from keyfob.server.lifecycle.rotation import DAY
from keyfob.server.notices.calendar import read_certified
from keyfob.server.notices.due import Certified
from keyfob.server.storage.records import Purpose
from keyfob.server.storage.standing import Standing

_TLS_AHEAD = 14 * DAY
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
@home_option()
@click.pass_obj
@shows_result
def status(surroundings: Surroundings, *, home: Path) -> Result:
    """Say in one screen what needs attention, and the command that mends it.

    Secrets that expire within 30 days and certificates within 10; sealed messages that nobody has used for a day; old
    secrets that are still used while a newer one works; keys that are due; notices that did not arrive; and whether
    the newest records of the audit are whole (audit verify walks all of them).

    Exit status 0 when nothing needs attention, 1 when something does.

    \b
    Example:
      keyfob-server status --home ./operator
    """
    now = surroundings.clock()
    with opened(surroundings, home) as installation:
        store = installation.store
        with store.reading() as reading:
            standings, certified = reading.standings(), read_certified(reading)
            announced = waiting(reading)
        unsettled, unrouted = store.outbox.unsettled(), store.outbox.unrouted()
        keys, glance = _keys_due(installation, now), store.audit_glance()
        issuer = installation.settings.issuer
    books = attention.read(standings, certified, unsettled, announced, now)
    document = {
        "issuer": issuer,
        "at": now,
        "expiring_credentials": [_credential(one) for one in books.expiring_credentials],
        "expiring_certificates": [_certificate(each) for each in books.expiring_certificates],
        "unopened_messages": [_credential(one) for one in books.unopened_messages],
        "old_secrets_in_use": [_credential(one) for one in books.old_secrets_in_use],
        "announced_changes": [announcements.document(one) for one in books.announced_changes],
        "keys_due": keys,
        "undelivered_notices": [notices.document(one) for one in books.undelivered_notices],
        "notices_waiting": unrouted + sum(one.reason is None for one in unsettled),
        "audit": {"whole": not glance.findings, "records": glance.count, "findings": list(glance.findings)},
    }
    sections = _sections(books, keys, glance, now)
    needs = any(section.rows for section in sections)
    return Result({"needs_attention": needs, **document}, _text(issuer, now, sections), exit_code=int(needs))


def _sections(books: Books, keys: Sequence[str], glance: chain.Verdict, now: int) -> list[_Section]:
    who = ("PARTNER", "CLIENT", "NAME")
    return [
        _Section(
            "credentials that expire",
            "none within 30 days",
            (*who, "EXPIRES", "LAST USE"),
            [
                (*_who(one), _until(one.credential.expires_at, now), show_time(one.credential.last_used_at))
                for one in books.expiring_credentials
            ],
            "keyfob-server client rotate CLIENT",
        ),
        _Section(
            "certificates that expire",
            "none within 10 days",
            ("PARTNER", "FINGERPRINT", "EXPIRES"),
            [
                (each.partner, each.fingerprint, _until(each.expires_at or 0, now))
                for each in books.expiring_certificates
            ],
            "keyfob-server partner renew PARTNER --certificate FILE.asc",
        ),
        _Section(
            "sealed messages not opened",
            "none for longer than a day",
            (*who, "SEALED", "USE BY"),
            [
                (*_who(one), show_time(one.credential.sealed_at), show_time(one.credential.first_use_by))
                for one in books.unopened_messages
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
                    show_time(one.credential.last_used_at),
                    one.credential.last_used_from or "-",
                    _until(one.credential.overlap_ends_at or 0, now),
                )
                for one in books.old_secrets_in_use
            ],
            "tell the partner which address still uses the old one",
        ),
        _Section(
            "changes that partners asked for",
            "none announced",
            ("ANNOUNCEMENT", "CLIENT", "COUNTS FROM"),
            [(one.id, one.client_id, show_time(one.takes_effect_at)) for one in books.announced_changes],
            "nothing, where the partner knows of it; else: keyfob-server announcement stop ANNOUNCEMENT",
        ),
        _Section("keys due", "none", ("WHAT",), [(one,) for one in keys], "see the line"),
        _Section(
            "notices not delivered",
            "none",
            ("NOTICE", "KIND", "FOR", "BY", "REASON"),
            [
                (
                    one.notice.id,
                    one.notice.kind.value,
                    one.partner if one.notice.recipient == "partner" and one.partner else one.notice.recipient.value,
                    one.channel,
                    one.reason or "no way was set: mail.host",
                )
                for one in books.undelivered_notices
            ],
            "mend the reason, then: keyfob-server notice retry --all",
        ),
        _Section(
            "audit",
            f"the newest {glance.count} records are whole",
            ("FINDING",),
            [(finding,) for finding in glance.findings],
            "keyfob-server audit verify; keep a copy of the database as it is",
        ),
    ]


def _text(issuer: str, now: int, sections: Sequence[_Section]) -> str:
    """Colours are left out by whoever prints it to something that is no terminal."""
    count = sum(len(section.rows) for section in sections)
    verdict = click.style("all is well", fg="green") if not count else click.style(f"{count} to look at", fg="yellow")
    lines = [f"{click.style(issuer, bold=True)}  {show_time(now)}  {verdict}", ""]
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


def _keys_due(installation: Installation, now: int) -> list[str]:
    """In words, each with what mends it."""
    settings = installation.settings
    period = settings.signing_key_days * DAY
    found = [
        f"the signing key for {purpose.value} is due: a running server makes its successor (keyfob-server serve)"
        for purpose in Purpose
        if signing_keys.is_due(installation.store.signing_keys(purpose), now, period=period)
    ]
    if settings.trusted_proxy is None:
        try:
            doubt = tls.find_doubt(settings.tls_certificate, url=settings.issuer, now=now + _TLS_AHEAD)
        except Problem as failed:
            doubt = failed.message
        found += [f"as of {_TLS_AHEAD // DAY} days from now: {doubt}"] if doubt else []
    return found


def _who(one: Standing) -> tuple[str, str, str]:
    return one.partner, one.credential.client_id, one.client_name


def _until(at: int, now: int) -> str:
    days = abs(at - now) // DAY
    return f"{show_time(at)[:10]} ({'in ' if at > now else ''}{days} d{'' if at > now else ' ago'})"


def _credential(one: Standing) -> dict[str, object]:
    credential = one.credential
    return {
        "partner": one.partner,
        "client_id": credential.client_id,
        "name": one.client_name,
        "credential_id": credential.id,
        "expires_at": credential.expires_at,
        "sealed_at": credential.sealed_at,
        "first_use_by": credential.first_use_by,
        "overlap_ends_at": credential.overlap_ends_at,
        "last_used_at": credential.last_used_at,
        "last_used_from": credential.last_used_from,
    }


def _certificate(each: Certified) -> dict[str, object]:
    return {"partner": each.partner, "fingerprint": each.fingerprint, "expires_at": each.expires_at}
