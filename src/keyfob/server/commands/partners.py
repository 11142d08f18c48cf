"""`keyfob-server partner`: the organisations, and the certificates that secrets are sealed to."""

import sys
from pathlib import Path
from typing import Literal

import click

from keyfob.command import Result, shows_result, table
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp.certificate import Certificate
from keyfob.problem import Misuse, Problem
from keyfob.server.admin import partners
from keyfob.server.admin.desk import Document
from keyfob.server.admin.operation import Operation
from keyfob.server.admin.partners import NewPartner, OnePartner, Renewal
from keyfob.server.commands.place import (
    AtDesk,
    Place,
    at_desk,
    listed,
    number,
    perform,
    perform_all,
    place_options,
    shown,
)
from keyfob.server.commands.surroundings import Surroundings, read_file, reason_option, show_time
from keyfob.server.lifecycle import names
from keyfob.server.lifecycle.partners import check_confirmed


@click.group(short_help="The organisations that have clients.")
def partner() -> None:
    """The organisations that have clients, and their OpenPGP certificates."""


@partner.command(short_help="Take up a partner, or renew its certificate.")
@click.argument("name")
@place_options()
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
    surroundings: Surroundings,
    *,
    name: str,
    place: Place,
    certificate: Path,
    email: str,
    confirm_fingerprint: str | None,
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
    how: Literal["flag", "terminal"] = "flag"
    with at_desk(surroundings, place) as desk:
        if confirm_fingerprint is None and not _is_known(desk, name, checked):
            confirm_fingerprint, how = _ask(checked), "terminal"
        asked = NewPartner(
            name=name,
            certificate=checked.armored.decode(),
            email=email,
            confirm_fingerprint=confirm_fingerprint,
            confirmed_how=how,
        )
        done = desk.perform(partners.ADD, asked)
    return shown(
        done, lambda: f"{done.document['outcome']}: {_heading(done.document)}\n  {_fingerprint(done.document)}"
    )


@partner.command(short_help="Take up a partner's renewed certificate, or its new key.")
@click.argument("name")
@place_options()
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
    place: Place,
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
    checked = _check(certificate, now=surroundings.clock())
    how: Literal["flag", "terminal"] = "flag"
    with at_desk(surroundings, place) as desk:
        known = desk.perform(partners.SHOW, OnePartner(partner=name)).document
        if known["fingerprint"] != checked.fingerprint and confirm_fingerprint is None and not approve:
            confirm_fingerprint, how = _ask(checked), "terminal"
        asked = Renewal(
            partner=name,
            certificate=checked.armored.decode(),
            email=email,
            confirm_fingerprint=confirm_fingerprint,
            confirmed_how=how,
            approve=approve,
        )
        done = desk.perform(partners.RENEW, asked)
    until = "for ever" if checked.expires_at is None else f"until {show_time(checked.expires_at)}"
    return shown(
        done,
        lambda: (
            f"{done.document['outcome']}: {_heading(done.document)}\n  {_fingerprint(done.document)}\n  usable {until}"
        ),
    )


@partner.command("list")
@place_options()
@click.pass_obj
@shows_result
def list_partners(surroundings: Surroundings, *, place: Place) -> Result:
    """All partners, with the fingerprints that were confirmed.

    \b
    Example:
      keyfob-server partner list --home ./operator
    """
    document = perform_all(surroundings, place, partners.LIST)
    rows = [(one["name"], one["state"], one["fingerprint"], one["email"]) for one in listed(document, "partners")]
    return Result(document, table(("NAME", "STATE", "FINGERPRINT", "EMAIL"), rows))


@partner.command(short_help="One partner, its certificate and its clients.")
@click.argument("name")
@place_options()
@click.pass_obj
@shows_result
def show(surroundings: Surroundings, *, name: str, place: Place) -> Result:
    """One partner: its certificate, whether a secret can be sealed to it now, and its clients.

    \b
    Example:
      keyfob-server partner show "Acme CRO" --home ./operator
    """
    document = perform(surroundings, place, partners.SHOW, OnePartner(partner=name)).document
    expires_at, trouble = document["certificate_expires_at"], document["certificate_problem"]
    usable = "usable" if expires_at is None else f"usable until {show_time(number(document, 'certificate_expires_at'))}"
    confirmed_at = show_time(number(document, "fingerprint_confirmed_at"))
    lines = [
        f"{_heading(document)}, {document['state']}",
        f"  e-mail       {document['email']}",
        f"  webhook      {document['webhook'] or 'none'}",
        f"  fingerprint  {_fingerprint(document)}",
        f"  confirmed    {confirmed_at} ({document['fingerprint_confirmed_how']})",
        f"  certificate  {trouble or usable}",
    ]
    rows = [(one["client_id"], one["state"], one["name"]) for one in listed(document, "clients")]
    lines.append(table(("CLIENT", "STATE", "NAME"), rows) if rows else "  clients      none")
    return Result(document, "\n".join(lines))


@partner.command(short_help="Refuse all of a partner's clients until `resume`.")
@click.argument("name")
@place_options()
@reason_option()
@click.pass_obj
@shows_result
def suspend(surroundings: Surroundings, *, name: str, place: Place) -> Result:
    """Refuse the token requests of all of a partner's clients until `resume`; tokens are refused within 5 seconds.

    \b
    Example:
      keyfob-server partner suspend "Acme CRO" --home ./operator --reason "break-in suspected"
    """
    return _set_state(surroundings, place, partners.SUSPEND, name)


@partner.command(short_help="Let a suspended partner go on.")
@click.argument("name")
@place_options()
@reason_option()
@click.pass_obj
@shows_result
def resume(surroundings: Surroundings, *, name: str, place: Place) -> Result:
    """Let a suspended partner go on: exactly those clients and secrets that worked before work again.

    \b
    Example:
      keyfob-server partner resume "Acme CRO" --home ./operator
    """
    return _set_state(surroundings, place, partners.RESUME, name)


def _set_state(surroundings: Surroundings, place: Place, operation: Operation[OnePartner], name: str) -> Result:
    done = perform(surroundings, place, operation, OnePartner(partner=name))
    return shown(done, lambda: f"{name} is {done.document['state']}")


def _check(path: Path, *, now: int) -> Certificate:
    """The certificate in the file at `path`, usable now. Raises Problem that names the file."""
    content = read_file(path)
    try:
        return certificates.check(content, now=now)
    except Problem as refused:
        raise type(refused)(refused.code, f"{path}: {refused.message}", hint=refused.hint) from refused


def _is_known(desk: AtDesk, name: str, certificate: Certificate) -> bool:
    """Whether it is a known partner's same key, which needs no new confirmation."""
    try:
        known = desk.perform(partners.SHOW, OnePartner(partner=name)).document
    except Problem as refused:
        if refused.code != "unknown-partner":
            raise
        return False
    return known["fingerprint"] == certificate.fingerprint


def _ask(certificate: Certificate) -> str:
    """The fingerprint is typed, not shown for a nod: a nod confirms nothing."""
    if not sys.stdin.isatty():
        raise Misuse(
            "fingerprint-unconfirmed",
            "the partner's fingerprint is not confirmed, and there is no terminal to ask on",
            hint="add --confirm-fingerprint FPR, as the partner gave it over another channel",
        )
    click.echo(f"certificate of: {', '.join(map(repr, certificate.user_ids)) or '(no name)'}", err=True)
    typed = click.prompt("fingerprint, as the partner gave it over another channel", err=True)
    check_confirmed(certificate, str(typed))
    return str(typed)


def _heading(document: Document) -> str:
    return f"{document['name']} ({document['partner_id']})"


def _fingerprint(document: Document) -> str:
    return certificates.show_fingerprint(str(document["fingerprint"]))
