"""`keyfob-server registration allow|list|withdraw|renew`: partners that register their clients by themselves."""

from pathlib import Path

import click

from keyfob.command import Result, shows_result, table
from keyfob.oauth import authorization_details
from keyfob.oauth import scope as scopes
from keyfob.server.commands.client_view import studies_text
from keyfob.server.commands.rights import (
    read_details,
    read_scope,
    resource_option,
    scope_option,
    study_options,
    token_lifetime_option,
)
from keyfob.server.commands.surroundings import Surroundings, actor, home_option, opened, reason_option, show_time
from keyfob.server.lifecycle import allowances
from keyfob.server.lifecycle.allowances import DAY, Bounds
from keyfob.server.lifecycle.registration import Registrar
from keyfob.server.storage.records import Allowance, Profile, State

_DEFAULT_DAYS, _MAX_DAYS = 3, 30
_MAX_USES = 100


@click.group(short_help="Partners that register their clients by themselves.")
def registration() -> None:
    """Partners that register clients with keys by themselves, as far as you allow (RFC 7591, RFC 7592)."""


@registration.command(short_help="Let a partner register a client.")
@home_option()
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
    type=click.IntRange(1, _MAX_DAYS),
    default=_DEFAULT_DAYS,
    show_default=True,
    metavar="DAYS",
    help=f"How long the permission lasts, 1 to {_MAX_DAYS}; the clients stay.",
)
@click.option(
    "--uses",
    type=click.IntRange(1, _MAX_USES),
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
    home: Path,
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
    bounds = Bounds(
        partner=partner,
        scope=read_scope(scope, "--scope"),
        resources=resource,
        details=read_details(study, details_file, every=all_studies),
        token_lifetime=token_lifetime,
        dpop_bound=dpop,
        profile=Profile(profile),
        uses=uses,
        lifetime=days * DAY,
    )
    now = surroundings.clock()
    with opened(surroundings, home) as installation:
        made, path = allowances.allow(
            installation, bounds, out=out, now=now, entropy=surroundings.entropy, actor=actor()
        )
        operator = installation.operator_certificate.fingerprint
        endpoint = installation.settings.registration_endpoint
    document = {
        **_document(made, partner, now),
        "sealed": str(path),
        "operator_fingerprint": operator,
        "registration_endpoint": endpoint,
    }
    clients = "one client" if uses == 1 else f"{uses} clients"
    lines = [
        f"{partner} may register {clients} until {show_time(made.expires_at)}; its token is sealed in {path}",
        f"  at        {', '.join(made.resources)}: {scopes.write(made.scope)}",
        f"  studies   {studies_text(made.authorization_details)}",
        f"the partner opens it (gpg --decrypt {path.name}) and posts its keys to {endpoint}",
        f"to take it back: keyfob-server registration withdraw {made.id}",
    ]
    return Result(document, "\n".join(lines))


@registration.command("list", short_help="What was allowed to whom.")
@home_option()
@click.pass_obj
@shows_result
def list_allowances(surroundings: Surroundings, *, home: Path) -> Result:
    """What was allowed to whom, the oldest first; also what is used up, expired or withdrawn.

    \b
    Example:
      keyfob-server registration list --home ./operator
    """
    now = surroundings.clock()
    with opened(surroundings, home) as installation, installation.store.reading() as reading:
        found = reading.allowances()
        owners = {one.id: one.name for one in reading.partners()}
    rows = [
        (one.id, _state(one, now), owners[one.partner_id], str(one.uses_left), show_time(one.expires_at))
        for one in found
    ]
    document = {"allowances": [_document(one, owners[one.partner_id], now) for one in found]}
    return Result(document, table(("ALLOWANCE", "STATE", "PARTNER", "USES LEFT", "EXPIRES"), rows))


@registration.command(short_help="Take a permission to register back.")
@click.argument("allowance")
@home_option()
@reason_option()
@click.pass_obj
@shows_result
def withdraw(surroundings: Surroundings, *, allowance: str, home: Path) -> Result:
    """Take a permission to register back, from the next request on. Clients that are registered stay: client revoke.

    \b
    Example:
      keyfob-server registration withdraw 3kD... --home ./operator
    """
    now = surroundings.clock()
    with opened(surroundings, home) as installation, installation.store.change(now=now, actor=actor()) as change:
        allowances.withdraw(change, allowance)
    return Result({"allowance": allowance, "state": "withdrawn"}, f"{allowance} is withdrawn")


@registration.command(short_help="Seal a new registration token for a client.")
@click.argument("client_id")
@home_option()
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.asc",
    help="The sealed message. Default: ./CLIENT_ID.registration.asc",
)
@reason_option()
@click.pass_obj
@shows_result
def renew(surroundings: Surroundings, *, client_id: str, home: Path, out: Path | None) -> Result:
    """Seal a new registration access token to the partner of a client that registered itself.

    For a client whose own is lost or expired, or was ended because somebody used an old one: find out who, first. No
    other registration token of that client is good after it. The client's keys and rights stay as they are.

    \b
    Example:
      keyfob-server registration renew cl_3kD... --home ./operator
    """
    now = surroundings.clock()
    with opened(surroundings, home) as installation:
        registrar = Registrar(installation, surroundings.entropy)
        path = registrar.renew(client_id, out=out, now=now, actor=actor())
        operator = installation.operator_certificate.fingerprint
    document = {"client_id": client_id, "sealed": str(path), "operator_fingerprint": operator}
    return Result(document, f"sealed a new registration token for {client_id} in {path}")


def _document(one: Allowance, partner: str, now: int) -> dict[str, object]:
    return {
        "allowance": one.id,
        "partner": partner,
        "state": _state(one, now),
        "uses_left": one.uses_left,
        "scope": scopes.write(one.scope),
        "resources": list(one.resources),
        "authorization_details": authorization_details.write_claim(one.authorization_details),
        "profile": one.profile.value,
        "token_lifetime": one.token_lifetime,
        "dpop_bound": one.dpop_bound,
        "created_at": one.created_at,
        "expires_at": one.expires_at,
    }


def _state(one: Allowance, now: int) -> str:
    if one.state is not State.ACTIVE:
        return "withdrawn"
    if one.uses_left < 1:
        return "used up"
    return "expired" if now >= one.expires_at else "open"
