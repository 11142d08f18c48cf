"""`keyfob-server client rotate|keys|change|suspend|resume|allow`: how a client's rights change."""

import json
from pathlib import Path
from typing import Any

import click

from keyfob.command import Result, shows_result
from keyfob.oauth import scope as scopes
from keyfob.oauth.authorization_details import write_claim
from keyfob.problem import Misuse
from keyfob.server.admin import clients as operations
from keyfob.server.admin.client_changes import CHANGE, Alteration
from keyfob.server.admin.clients import Keys, Networks, OneClient
from keyfob.server.admin.desk import Document
from keyfob.server.admin.new_clients import FINISH, ROTATE, Rotation
from keyfob.server.admin.operation import Operation
from keyfob.server.commands.clients import client, link_option, link_text, sealed_document
from keyfob.server.commands.place import Place, at_desk, listed, number, perform, place_options, shown
from keyfob.server.commands.rights import MAX_TOKEN_LIFETIME, read_details, read_scope, study_options
from keyfob.server.commands.surroundings import Surroundings, read_file, reason_option, show_time
from keyfob.server.commands.tray import Tray
from keyfob.server.lifecycle import clients, rotation
from keyfob.server.lifecycle.settings import MAX_OVERLAP_DAYS


@client.command()
@click.argument("client_id")
@place_options()
@click.option(
    "--overlap",
    type=click.IntRange(0, MAX_OVERLAP_DAYS),
    metavar="DAYS",
    help="How long the old secret works after the new one's first use. Default: credentials.overlap, 7 days",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.asc",
    help="The sealed message. Default: ./CLIENT_ID.CREDENTIAL_ID.asc",
)
@link_option()
@click.option("--finish", is_flag=True, help="End a running overlap now: the old secret stops working.")
@reason_option()
@click.pass_obj
@shows_result
def rotate(
    surroundings: Surroundings,
    *,
    client_id: str,
    place: Place,
    overlap: int | None,
    out: Path | None,
    link: bool,
    finish: bool,
) -> Result:
    """Make a new secret for a client, sealed to its partner. The old one goes on working.

    The overlap begins with the first use of the new secret, not now: a message that lies unopened takes nothing away,
    and expires after 14 days. Rotating again before that replaces the unopened one. A partner can do the same by
    itself, with `keyfob rotate`; what you make comes before what it has asked for.

    \b
    Example:
      keyfob-server client rotate cl_3kD... --home ./operator --overlap 2
    """
    if finish and (overlap is not None or out is not None or link):
        raise Misuse("finish-alone", "--finish makes nothing new", hint="leave --overlap, --out and --link out")
    if finish:
        done = perform(surroundings, place, FINISH, OneClient(client_id=client_id))
        return shown(done, lambda: f"retired: {', '.join(listed(done.document, 'retired'))}")
    tray = Tray(out)
    tray.check(place)
    asked = Rotation(client_id=client_id, overlap=None if overlap is None else overlap * rotation.DAY, link=link)
    with at_desk(surroundings, place, outlet=tray) as desk:
        made = desk.perform(ROTATE, asked).document
    path = tray.take(place, made)
    text = f"sealed a new secret for {client_id} in {path}\n"
    text += f"it must be used by {show_time(number(made, 'use_by'))}; the old secret works until {_until(made)}"
    text += "\nthe partner may also fetch it: keyfob rotate" + link_text(made)
    return Result(sealed_document(made, path), text)


def _until(made: Document) -> str:
    overlap = number(made, "overlap")
    if made["replaces"] is None:
        return "then"
    if overlap == 0:
        return "the new one's first use"
    days, rest = divmod(overlap, rotation.DAY)
    return f"{overlap} seconds after the new one's first use" if rest else f"{days} days after the new one's first use"


@client.command("keys", short_help="Give a client that signs other public keys.")
@click.argument("client_id")
@place_options()
@click.option(
    "--jwks",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Its public keys from now on, a JWK set: all of them, the old one too while it is in use.",
)
@click.option("--jwks-uri", metavar="URL", help="Where it publishes them instead.")
@reason_option()
@click.pass_obj
@shows_result
def set_keys(
    surroundings: Surroundings, *, client_id: str, place: Place, jwks: Path | None, jwks_uri: str | None
) -> Result:
    """Give a client that signs other public keys, in place of those it had; they hold from the next request on.

    To change over without a failed call: first both keys, then, when the partner signs with the new one, that alone.

    \b
    Example:
      keyfob-server client keys cl_3kD... --jwks partner-keys.json --home ./operator
    """
    if (jwks is None) == (jwks_uri is None):
        raise Misuse("keys-missing", "give --jwks FILE or --jwks-uri URL", hint="see client keys --help")
    document = None if jwks is None else json.loads(clients.read_jwks(read_file(jwks), where=jwks))
    asked = Keys(client_id=client_id, jwks=document, jwks_uri=jwks_uri)
    done = perform(surroundings, place, operations.SET_KEYS, asked)
    return shown(done, lambda: f"{client_id} signs with: {jwks_uri or ', '.join(listed(done.document, 'thumbprints'))}")


@client.command("change", short_help="Change in place what a client may do.")
@click.argument("client_id")
@place_options()
@click.option("--scope", metavar='"A B"', help="All scopes that it may ask for from now on.")
@click.option("--resource", multiple=True, metavar="URL", help="Its APIs from now on; the first is default.")
@click.option("--default-scope", metavar='"A"', help="The scopes of a token when none is asked for.")
@click.option("--no-default-scope", is_flag=True, help="A request without scope is refused.")
@study_options
@click.option("--no-studies", is_flag=True, help="No study at all.")
@click.option(
    "--token-lifetime", type=click.IntRange(1, MAX_TOKEN_LIFETIME), metavar="SECONDS", help="How long its tokens live."
)
@click.option("--dry-run", is_flag=True, help="Show what would change, and change nothing.")
@reason_option(dry_run=False)
@click.pass_obj
@shows_result
def alter(
    surroundings: Surroundings,
    *,
    client_id: str,
    place: Place,
    scope: str | None,
    resource: tuple[str, ...],
    default_scope: str | None,
    no_default_scope: bool,
    study: tuple[str, ...],
    all_studies: bool,
    details_file: Path | None,
    no_studies: bool,
    token_lifetime: int | None,
    dry_run: bool,
) -> Result:
    """Change in place what a client may do, from its next token on; its id and its secret stay.

    What is not named stays as it is. A token from before that may hold what is taken away is refused within 5 seconds.
    Networks: client allow. Keys: client keys.

    \b
    Example:
      keyfob-server client change cl_3kD... --home ./operator --scope "studies:read" --token-lifetime 120
    """
    if default_scope is not None and no_default_scope:
        raise Misuse("default-twice", "--default-scope and --no-default-scope exclude each other", hint="give one")
    has_studies = bool(study) or all_studies or details_file is not None
    if has_studies and no_studies:
        raise Misuse("studies-twice", "--no-studies excludes the other options of studies", hint="give one")
    details = read_details(study, details_file, every=all_studies)
    asked = Alteration(
        client_id=client_id,
        scope=None if scope is None else scopes.write(read_scope(scope, "--scope")),
        resources=resource or None,
        default_scope=None if default_scope is None else scopes.write(read_scope(default_scope, "--default-scope")),
        no_default_scope=no_default_scope,
        authorization_details=tuple(write_claim(details)) if has_studies or no_studies else None,
        token_lifetime=token_lifetime,
        dry_run=dry_run,
    )
    if asked == Alteration(client_id=client_id, dry_run=dry_run):
        raise Misuse("nothing-asked", "nothing is to be changed", hint="see client change --help")
    done = perform(surroundings, place, CHANGE, asked)
    return shown(done, lambda: _changes(client_id, done.document["changed"], dry_run=dry_run))


def _changes(client_id: str, changed: Any, *, dry_run: bool) -> str:
    lines = [f"  {name}: {_shown(one['before'])} -> {_shown(one['after'])}" for name, one in changed.items()]
    done = "would change" if dry_run else "changed"
    return "\n".join([f"{done} {client_id}", *lines]) if lines else f"{client_id} is so already"


def _shown(words: object) -> str:
    return ", ".join(map(str, words)) or "none" if isinstance(words, list) else str(words)


@client.command(short_help="Refuse a client's token requests until `resume`.")
@click.argument("client_id")
@place_options()
@reason_option()
@click.pass_obj
@shows_result
def suspend(surroundings: Surroundings, *, client_id: str, place: Place) -> Result:
    """Refuse a client's token requests until `resume`; its tokens are refused everywhere within 5 seconds.

    \b
    Example:
      keyfob-server client suspend cl_3kD... --home ./operator
    """
    return _set_state(surroundings, place, operations.SUSPEND, client_id)


@client.command(short_help="Let a suspended client go on.")
@click.argument("client_id")
@place_options()
@reason_option()
@click.pass_obj
@shows_result
def resume(surroundings: Surroundings, *, client_id: str, place: Place) -> Result:
    """Let a suspended client go on, with exactly the rights and secrets that it had.

    \b
    Example:
      keyfob-server client resume cl_3kD... --home ./operator
    """
    return _set_state(surroundings, place, operations.RESUME, client_id)


@client.command(short_help="Say from which networks a client may come.")
@click.argument("client_id")
@place_options()
@click.option("--network", multiple=True, metavar="CIDR", help="From where it may come; repeatable.")
@click.option("--anywhere", is_flag=True, help="From any address: no list.")
@reason_option()
@click.pass_obj
@shows_result
def allow(
    surroundings: Surroundings, *, client_id: str, place: Place, network: tuple[str, ...], anywhere: bool
) -> Result:
    """Say from which networks a client may come, in place of what was said before; it holds from the next request on.

    From elsewhere the right secret is refused in the very words of a wrong one; you read the reason with
    `keyfob-server explain`, and an alarm tells you at once. Behind a proxy, http.trusted_proxy must be set.

    \b
    Example:
      keyfob-server client allow cl_3kD... --home ./operator --network 192.0.2.0/24 --network 2001:db8:7::/48
    """
    if bool(network) is anywhere:
        raise Misuse(
            "networks-or-anywhere", "give --network CIDR, once or more, or --anywhere", hint="see client allow --help"
        )
    allowed = clients.read_networks(network, option="--network")
    done = perform(surroundings, place, operations.ALLOW, Networks(client_id=client_id, networks=allowed))
    return shown(done, lambda: f"{client_id} may come from {', '.join(allowed) or 'anywhere'}")


def _set_state(surroundings: Surroundings, place: Place, operation: Operation[OneClient], client_id: str) -> Result:
    done = perform(surroundings, place, operation, OneClient(client_id=client_id))
    return shown(done, lambda: f"{client_id} is {done.document['state']}")
