"""`keyfob-server partner`: the organisations, and the certificates that secrets are sealed to."""

import sys
from pathlib import Path

import click

from keyfob.command import Result, shows_result, table
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp.certificate import Certificate
from keyfob.problem import Misuse, Problem
from keyfob.server.commands.surroundings import (
    Surroundings,
    actor,
    home_option,
    opened,
    read_file,
    reason_option,
    show_time,
)
from keyfob.server.lifecycle import names, partners
from keyfob.server.lifecycle.states import Event
from keyfob.server.storage.records import Confirmation, Partner


@click.group(short_help="The organisations that have clients.")
def partner() -> None:
    """The organisations that have clients, and their OpenPGP certificates."""


@partner.command(short_help="Take up a partner, or renew its certificate.")
@click.argument("name")
@home_option()
@click.option(
    "--certificate", required=True, type=click.Path(path_type=Path), metavar="FILE.asc", help="Its OpenPGP certificate."
)
@click.option("--email", required=True, metavar="ADDRESS", help="Its contact for the hand-off and for notices.")
@click.option(
    "--confirm-fingerprint",
    metavar="FPR",
    help="The fingerprint as the partner gave it over another channel. Asked for on a terminal.",
)
@reason_option()
@click.pass_obj
@shows_result
def add(
    surroundings: Surroundings, *, name: str, home: Path, certificate: Path, email: str, confirm_fingerprint: str | None
) -> Result:
    """Take up the partner NAME with its certificate, or renew the certificate of a known partner.

    Whoever holds that certificate's private key will read each secret that you seal to it. So the fingerprint must come
    to you twice: with the file, and by telephone or another channel that a forger of the file does not control. A known
    partner's same key with a later expiry needs no new confirmation.

    \b
    Example:
      keyfob-server partner add "Acme CRO" --home ./operator --certificate acme.asc \\
        --email data@acme.example --confirm-fingerprint "0123 4567 ..."
    """
    now = surroundings.clock()
    names.check_name(name, of="partner")
    names.check_email(email)
    checked = _check(certificate, now=now)
    with opened(surroundings, home) as installation:
        with installation.store.reading() as reading:
            same = partners.find_same(reading, name, checked)
        how = Confirmation.TERMINAL if confirm_fingerprint is None else Confirmation.FLAG
        if confirm_fingerprint is not None:
            partners.check_confirmed(checked, confirm_fingerprint)
        elif same is None:
            _ask(checked)
        with installation.store.change(now=now, actor=actor()) as change:
            if same is not None and (same.certificate, same.email) == (checked.armored, email):
                stored, outcome = same, "unchanged"
            elif same is not None:
                stored, outcome = partners.renew(change, same, checked, email=email, now=now), "renewed"
            else:
                added = partners.add(
                    change, name, checked, email=email, confirmed=how, now=now, entropy=surroundings.entropy
                )
                stored, outcome = added, "added"
    shown = certificates.show_fingerprint(stored.fingerprint)
    return Result({"outcome": outcome, **_document(stored)}, f"{outcome}: {stored.name} ({stored.id})\n  {shown}")


@partner.command(short_help="Take up a partner's renewed certificate, or its new key.")
@click.argument("name")
@home_option()
@click.option(
    "--certificate", required=True, type=click.Path(path_type=Path), metavar="FILE.asc", help="Its OpenPGP certificate."
)
@click.option("--email", metavar="ADDRESS", help="A new contact. Default: the one it has.")
@click.option(
    "--confirm-fingerprint",
    metavar="FPR",
    help="Of a new key: the fingerprint as the partner gave it over another channel. Asked for on a terminal.",
)
@click.option("--approve", is_flag=True, help="Take a new key that the present one, while it is valid, certifies.")
@reason_option()
@click.pass_obj
@shows_result
def renew(
    surroundings: Surroundings,
    *,
    name: str,
    home: Path,
    certificate: Path,
    email: str | None,
    confirm_fingerprint: str | None,
    approve: bool,
) -> Result:
    """Take up the renewed certificate of the partner NAME, or its new key. Both sides are told.

    The same key, for example with a later expiry, needs no confirmation. Another key does: its fingerprint over another
    channel, or --approve when the present key has signed it (gpg --quick-sign-key).

    \b
    Example:
      keyfob-server partner renew "Acme CRO" --home ./operator --certificate acme.asc
    """
    if approve and confirm_fingerprint is not None:
        raise Misuse("confirmed-twice", "--approve and --confirm-fingerprint exclude each other", hint="give one")
    now = surroundings.clock()
    checked = _check(certificate, now=now)
    with opened(surroundings, home) as installation:
        with installation.store.reading() as reading:
            known = partners.get(reading, name)
            if any(other.fingerprint == checked.fingerprint and other.id != known.id for other in reading.partners()):
                raise Misuse("certificate-known", "that certificate is another partner's", hint="see partner list")
        is_same = checked.fingerprint == known.fingerprint
        how = Confirmation.CERTIFIED if approve else Confirmation.FLAG
        if confirm_fingerprint is not None:
            partners.check_confirmed(checked, confirm_fingerprint)
        elif not is_same and approve:
            partners.check_certified(known, checked, now=now)
        elif not is_same:
            _ask(checked)
            how = Confirmation.TERMINAL
        with installation.store.change(now=now, actor=actor()) as change:
            present = partners.get(change.reading, name)
            if present != known:
                raise Problem(
                    "partner-changed", "the partner was changed meanwhile: nothing was done", hint="try again"
                )
            contact = known.email if email is None else email
            if not is_same:
                stored = partners.replace_key(change, known, checked, email=contact, confirmed=how, now=now)
                outcome = "replaced"
            elif (known.certificate, known.email) == (checked.armored, contact):
                stored, outcome = known, "unchanged"
            else:
                stored, outcome = partners.renew(change, known, checked, email=contact, now=now), "renewed"
    until = "for ever" if checked.expires_at is None else f"until {show_time(checked.expires_at)}"
    shown = certificates.show_fingerprint(stored.fingerprint)
    document = {"outcome": outcome, **_document(stored), "certificate_expires_at": checked.expires_at}
    return Result(document, f"{outcome}: {stored.name} ({stored.id})\n  {shown}\n  usable {until}")


@partner.command("list")
@home_option()
@click.pass_obj
@shows_result
def list_partners(surroundings: Surroundings, *, home: Path) -> Result:
    """All partners, with the fingerprints that were confirmed.

    \b
    Example:
      keyfob-server partner list --home ./operator
    """
    with opened(surroundings, home) as installation, installation.store.reading() as reading:
        found = reading.partners()
    rows = [(one.name, one.state.value, one.fingerprint, one.email) for one in found]
    document = {"partners": [_document(one) for one in found]}
    return Result(document, table(("NAME", "STATE", "FINGERPRINT", "EMAIL"), rows))


@partner.command(short_help="One partner, its certificate and its clients.")
@click.argument("name")
@home_option()
@click.pass_obj
@shows_result
def show(surroundings: Surroundings, *, name: str, home: Path) -> Result:
    """One partner: its certificate, whether a secret can be sealed to it now, and its clients.

    \b
    Example:
      keyfob-server partner show "Acme CRO" --home ./operator
    """
    now = surroundings.clock()
    with opened(surroundings, home) as installation, installation.store.reading() as reading:
        found = partners.get(reading, name)
        clients = reading.clients(partner_id=found.id)
    expires_at, trouble = _usability(found, now)
    document = {
        **_document(found),
        "certificate_expires_at": expires_at,
        "certificate_problem": trouble,
        "clients": [{"client_id": one.id, "name": one.name, "state": one.state.value} for one in clients],
    }
    lines = [
        f"{found.name} ({found.id}), {found.state}",
        f"  e-mail       {found.email}",
        f"  fingerprint  {certificates.show_fingerprint(found.fingerprint)}",
        f"  confirmed    {show_time(found.fingerprint_confirmed_at)} ({found.fingerprint_confirmed_how})",
        f"  certificate  {trouble or ('usable until ' + show_time(expires_at) if expires_at else 'usable')}",
    ]
    rows = [(one.id, one.state.value, one.name) for one in clients]
    lines.append(table(("CLIENT", "STATE", "NAME"), rows) if rows else "  clients      none")
    return Result(document, "\n".join(lines))


@partner.command(short_help="Refuse all of a partner's clients until `resume`.")
@click.argument("name")
@home_option()
@reason_option()
@click.pass_obj
@shows_result
def suspend(surroundings: Surroundings, *, name: str, home: Path) -> Result:
    """Refuse the token requests of all of a partner's clients until `resume`; tokens are refused within 5 seconds.

    \b
    Example:
      keyfob-server partner suspend "Acme CRO" --home ./operator --reason "break-in suspected"
    """
    return _set_state(surroundings, home, name, Event.SUSPEND)


@partner.command(short_help="Let a suspended partner go on.")
@click.argument("name")
@home_option()
@reason_option()
@click.pass_obj
@shows_result
def resume(surroundings: Surroundings, *, name: str, home: Path) -> Result:
    """Let a suspended partner go on: exactly those clients and secrets that worked before work again.

    \b
    Example:
      keyfob-server partner resume "Acme CRO" --home ./operator
    """
    return _set_state(surroundings, home, name, Event.RESUME)


def _set_state(surroundings: Surroundings, home: Path, name: str, event: Event) -> Result:
    now = surroundings.clock()
    with opened(surroundings, home) as installation, installation.store.change(now=now, actor=actor()) as change:
        # As of here, where nobody else writes: it may have taken long to get a turn, and tokens went out meanwhile.
        state = partners.set_state(change, name, event, now=surroundings.clock())
    return Result({"partner": name, "state": state.value}, f"{name} is {state}")


def _check(path: Path, *, now: int) -> Certificate:
    """The certificate in the file at `path`, usable now. Raises Problem that names the file."""
    content = read_file(path)
    try:
        return certificates.check(content, now=now)
    except Problem as refused:
        raise type(refused)(refused.code, f"{path}: {refused.message}", hint=refused.hint) from refused


def _usability(partner: Partner, now: int) -> tuple[int | None, str | None]:
    try:
        return partners.usable_certificate(partner, now=now).expires_at, None
    except Problem as refused:
        return None, refused.message


def _ask(certificate: Certificate) -> None:
    """The fingerprint is typed, not shown for a nod: a nod confirms nothing."""
    if not sys.stdin.isatty():
        raise Misuse(
            "fingerprint-unconfirmed",
            "the partner's fingerprint is not confirmed, and there is no terminal to ask on",
            hint="add --confirm-fingerprint FPR, as the partner gave it over another channel",
        )
    click.echo(f"certificate of: {', '.join(map(repr, certificate.user_ids)) or '(no name)'}", err=True)
    typed = click.prompt("fingerprint, as the partner gave it over another channel", err=True)
    partners.check_confirmed(certificate, str(typed))


def _document(partner: Partner) -> dict[str, object]:
    return {
        "partner_id": partner.id,
        "name": partner.name,
        "email": partner.email,
        "state": partner.state.value,
        "fingerprint": partner.fingerprint,
        "fingerprint_confirmed_at": partner.fingerprint_confirmed_at,
        "fingerprint_confirmed_how": partner.fingerprint_confirmed_how.value,
        "created_at": partner.created_at,
    }
