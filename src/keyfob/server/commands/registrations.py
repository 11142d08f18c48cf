"""`keyfob-server registration allow|list|withdraw|renew`: partners that register their clients by themselves."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from keyfob.command import Result, shows_result, table
from keyfob.oauth import authorization_details
from keyfob.oauth import scope as scopes
from keyfob.server.admin import registrations
from keyfob.server.admin.clients import OneClient
from keyfob.server.admin.registrations import DEFAULT_DAYS, MAX_DAYS, MAX_USES, NewAllowance, OneAllowance
from keyfob.server.commands.client_view import studies_text
from keyfob.server.commands.place import Place, at_desk, listed, perform, perform_all, place_options, shown
from keyfob.server.commands.rights import (
    read_details,
    read_scope,
    resource_option,
    scope_option,
    study_options,
    token_lifetime_option,
)
from keyfob.server.commands.surroundings import Surroundings, reason_option, show_time
from keyfob.server.commands.tray import Tray, without_message
from keyfob.server.storage.records import Profile


@click.group(short_help="Partners that register their clients by themselves.")
def registration() -> None:
    """Partners that register clients with keys by themselves, as far as you allow (RFC 7591, RFC 7592)."""


@registration.command(short_help="Let a partner register a client.")
@place_options()
@click.option("--partner", required=True, metavar="NAME", help="Whose clients they will be.")
@scope_option
@resource_option
@study_options
@token_lifetime_option
@click.option(
    "--profile",
    type=click.Choice([one.value for one in Profile]),
    default=Profile.DEFAULT.value,
    show_default=True,
    help="A published profile that its clients follow: smart (HL7 SMART Backend Services) or fapi2 (FAPI 2.0).",
)
@click.option("--dpop", is_flag=True, help="All tokens of its clients are bound to a key.")
@click.option(
    "--days",
    type=click.IntRange(1, MAX_DAYS),
    default=DEFAULT_DAYS,
    show_default=True,
    metavar="DAYS",
    help=f"How long the permission lasts, 1 to {MAX_DAYS}; the clients stay.",
)
@click.option(
    "--uses",
    type=click.IntRange(1, MAX_USES),
    default=1,
    show_default=True,
    metavar="N",
    help="How many clients it may register.",
)
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE.asc", help="The sealed message. Default: ./ALLOWANCE.asc"
)
@reason_option()
@click.pass_obj
@shows_result
def allow(
    surroundings: Surroundings,
    *,
    place: Place,
    partner: str,
    scope: str,
    resource: tuple[str, ...],
    study: tuple[str, ...],
    all_studies: bool,
    details_file: Path | None,
    token_lifetime: int,
    profile: str,
    dpop: bool,
    days: int,
    uses: int,
    out: Path | None,
) -> Result:
    """Let a partner register a client that has a key of its own, with at most the rights that you name here.

    What comes out is one file, sealed to the partner like a secret: inside is an initial access token, which is shown
    nowhere, also not to you. Clients with a secret are not registered in this way: client create makes them.

    \b
    Example:
      keyfob-server registration allow --home ./operator --partner "Acme CRO" \\
        --scope "studies:read subjects:read" --resource https://localhost:8444 --study S.1
    """
    details = read_details(study, details_file, every=all_studies)
    asked = NewAllowance(
        partner=partner,
        scope=scopes.write(read_scope(scope, "--scope")),
        resources=resource,
        authorization_details=tuple(authorization_details.write_claim(details)),
        token_lifetime=token_lifetime,
        profile=Profile(profile),
        dpop_bound=dpop,
        days=days,
        uses=uses,
    )
    tray = Tray(out)
    tray.check(place)
    with at_desk(surroundings, place, outlet=tray) as desk:
        done = desk.perform(registrations.ALLOW, asked)
    path = tray.take(place, done.document)
    return shown(replace(done, document=without_message(done.document, path)), lambda: _text(done.document, path))


def _text(made: dict[str, Any], path: Path | None) -> str:
    assert path is not None
    clients = "one client" if made["uses_left"] == 1 else f"{made['uses_left']} clients"
    until = show_time(made["expires_at"])
    studies = studies_text(authorization_details.read_claim(made["authorization_details"]))
    return "\n".join(
        [
            f"{made['partner']} may register {clients} until {until}; its token is sealed in {path}",
            f"  at        {', '.join(made['resources'])}: {made['scope']}",
            f"  studies   {studies}",
            f"the partner opens it (gpg --decrypt {path.name}) and posts its keys to {made['registration_endpoint']}",
            f"to take it back: keyfob-server registration withdraw {made['allowance']}",
        ]
    )


@registration.command("list", short_help="What was allowed to whom.")
@place_options()
@click.pass_obj
@shows_result
def list_allowances(surroundings: Surroundings, *, place: Place) -> Result:
    """What was allowed to whom, the oldest first; also what is used up, expired or withdrawn.

    \b
    Example:
      keyfob-server registration list --home ./operator
    """
    document = perform_all(surroundings, place, registrations.LIST)
    rows = [
        (one["allowance"], one["state"], one["partner"], str(one["uses_left"]), show_time(one["expires_at"]))
        for one in listed(document, "allowances")
    ]
    return Result(document, table(("ALLOWANCE", "STATE", "PARTNER", "USES LEFT", "EXPIRES"), rows))


@registration.command(short_help="Take a permission to register back.")
@click.argument("allowance")
@place_options()
@reason_option()
@click.pass_obj
@shows_result
def withdraw(surroundings: Surroundings, *, allowance: str, place: Place) -> Result:
    """Take a permission to register back, from the next request on. Clients that are registered stay: client revoke.

    \b
    Example:
      keyfob-server registration withdraw 3kD... --home ./operator
    """
    done = perform(surroundings, place, registrations.WITHDRAW, OneAllowance(allowance=allowance))
    return shown(done, lambda: f"{allowance} is withdrawn")


@registration.command(short_help="Seal a new registration token for a client.")
@click.argument("client_id")
@place_options()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.asc",
    help="The sealed message. Default: ./CLIENT_ID.registration.asc",
)
@reason_option()
@click.pass_obj
@shows_result
def renew(surroundings: Surroundings, *, client_id: str, place: Place, out: Path | None) -> Result:
    """Seal a new registration access token to the partner of a client that registered itself.

    For a client whose own is lost or expired, or was ended because somebody used an old one: find out who, first. No
    other registration token of that client is good after it. The client's keys and rights stay as they are.

    \b
    Example:
      keyfob-server registration renew cl_3kD... --home ./operator
    """
    tray = Tray(out)
    tray.check(place)
    with at_desk(surroundings, place, outlet=tray) as desk:
        made = desk.perform(registrations.RENEW, OneClient(client_id=client_id)).document
    path = tray.take(place, made)
    return Result(without_message(made, path), f"sealed a new registration token for {client_id} in {path}")
