"""`keyfob-server client|partner revoke|delete`, `client revoke-credential`: what cannot be taken back."""

import click

from keyfob.command import Result, shows_result
from keyfob.server.admin import endings
from keyfob.server.admin.clients import OneClient
from keyfob.server.admin.desk import Document
from keyfob.server.admin.endings import OneCredential
from keyfob.server.admin.partners import OnePartner
from keyfob.server.commands import confirming
from keyfob.server.commands.clients import client
from keyfob.server.commands.confirming import Said
from keyfob.server.commands.partners import partner
from keyfob.server.commands.place import Place, at_desk, listed, place_options
from keyfob.server.commands.surroundings import Surroundings, reason_option

_TOUCHED = ("clients", "credentials", "unopened_messages")
_STOP_CLIENT = "to stop it for a while: client suspend"
_STOP_PARTNER = "to stop it for a while: partner suspend"


@client.command(short_help="End a client for good.")
@click.argument("client_id")
@place_options()
@confirming.options
@reason_option(dry_run=False)
@click.pass_obj
@shows_result
def revoke(
    surroundings: Surroundings, *, client_id: str, place: Place, dry_run: bool, yes: bool, confirm: str | None
) -> Result:
    """End a client for good; its tokens are refused everywhere within 5 seconds. There is no way back.

    On a terminal it asks for the client's name, except with --yes, --confirm or --json.

    \b
    Example:
      keyfob-server client revoke cl_3kD... --home ./operator --reason "contract ended"
    """
    said = Said(dry_run, yes, confirm)
    asked = OneClient(client_id=client_id)
    with at_desk(surroundings, place) as desk:
        touched = desk.perform(endings.CLIENT_ENDS, asked).document
        if dry_run:
            return _shown(f"would revoke {client_id} ({touched['name']})", touched)
        confirming.check(said, f"revoke {client_id}", str(touched["name"]), instead=_STOP_CLIENT, needs_word=False)
        done = desk.perform(endings.REVOKE_CLIENT, asked).document
    return Result(done, f"{client_id} is {done['state']}")


@client.command("revoke-credential", short_help="End one secret of a client for good.")
@click.argument("client_id")
@click.argument("credential_id")
@place_options()
@confirming.options
@reason_option(dry_run=False)
@click.pass_obj
@shows_result
def revoke_credential(
    surroundings: Surroundings,
    *,
    client_id: str,
    credential_id: str,
    place: Place,
    dry_run: bool,
    yes: bool,
    confirm: str | None,
) -> Result:
    """End one secret of a client for good, and the tokens that it obtained; the client goes on with its others.

    For a secret that may be in wrong hands, or a sealed message that went astray. `client show` lists them by their
    ids; a secret carries its id between the first two underscores. It asks for the client's name; without a terminal,
    add --confirm NAME or --yes.

    \b
    Example:
      keyfob-server client revoke-credential cl_3kD... 6fJx... --home ./operator --confirm edc-sync
    """
    said = Said(dry_run, yes, confirm)
    asked = OneCredential(client_id=client_id, credential_id=credential_id)
    with at_desk(surroundings, place) as desk:
        touched = desk.perform(endings.CREDENTIAL_ENDS, asked).document
        name = str(touched["name"])
        if dry_run:
            return _shown(f"would revoke a secret of {client_id} ({name})", touched)
        confirming.check(said, f"revoke the secret {credential_id} of {client_id}", name, instead=_STOP_CLIENT)
        done = desk.perform(endings.REVOKE_CREDENTIAL, asked).document
    then = "another secret works" if done["others_work"] else f"no other works: keyfob-server client rotate {client_id}"
    return Result(done, f"{credential_id} is revoked; {then}")


@client.command("delete", short_help="Forget a client that was revoked.")
@click.argument("client_id")
@place_options()
@confirming.options
@reason_option(dry_run=False)
@click.pass_obj
@shows_result
def delete_client(
    surroundings: Surroundings, *, client_id: str, place: Place, dry_run: bool, yes: bool, confirm: str | None
) -> Result:
    """Forget a client that was revoked, once no token of it can be alive: about 17 minutes after.

    What it was granted, its secrets' hashes and its dates go; the audit trail keeps every record of it. Its id is never
    given again. It asks for the client's name; without a terminal, add --confirm NAME or --yes.

    \b
    Example:
      keyfob-server client delete cl_3kD... --home ./operator --confirm edc-sync
    """
    said = Said(dry_run, yes, confirm)
    asked = OneClient(client_id=client_id)
    with at_desk(surroundings, place) as desk:
        touched = desk.perform(endings.CLIENT_GOES, asked).document
        name = str(touched["name"])
        if dry_run:
            return _shown(f"would delete {client_id} ({name})", touched)
        confirming.check(said, f"delete {client_id}", name, instead="it may stay as it is: it is revoked")
        done = desk.perform(endings.DELETE_CLIENT, asked).document
    return Result(done, f"{client_id} is deleted; the audit trail keeps it")


@partner.command("revoke", short_help="Withdraw everything of a partner, for good.")
@click.argument("name")
@place_options()
@confirming.options
@reason_option(dry_run=False)
@click.pass_obj
@shows_result
def revoke_partner(
    surroundings: Surroundings, *, name: str, place: Place, dry_run: bool, yes: bool, confirm: str | None
) -> Result:
    """Withdraw everything of a partner in one step, for good: the emergency switch.

    Itself, all of its clients, all of their secrets, also in sealed messages that nobody has opened, and their tokens,
    which are refused everywhere within 5 seconds. To stop it for a while: `partner suspend`. It asks for the partner's
    name; without a terminal, add --confirm NAME or --yes.

    \b
    Example:
      keyfob-server partner revoke "Acme CRO" --home ./operator --confirm "Acme CRO" --reason "break-in at Acme"
    """
    said = Said(dry_run, yes, confirm)
    asked = OnePartner(partner=name)
    with at_desk(surroundings, place) as desk:
        touched = desk.perform(endings.PARTNER_ENDS, asked).document
        if dry_run:
            return _shown(f"would revoke {name}", touched)
        confirming.check(said, f"withdraw everything of {name}, {_counts(touched)},", name, instead=_STOP_PARTNER)
        done = desk.perform(endings.REVOKE_PARTNER, asked).document
    return Result(done, f"revoked: {name}, {_counts(done)}")


@partner.command("delete", short_help="Forget a partner that was revoked.")
@click.argument("name")
@place_options()
@confirming.options
@reason_option(dry_run=False)
@click.pass_obj
@shows_result
def delete_partner(
    surroundings: Surroundings, *, name: str, place: Place, dry_run: bool, yes: bool, confirm: str | None
) -> Result:
    """Forget a partner that was revoked, and its clients, once no token of them can be alive: about 17 minutes after.

    The audit trail keeps every record. Its name and its certificate may be taken up anew, its ids never come back. It
    asks for the partner's name; without a terminal, add --confirm NAME or --yes.

    \b
    Example:
      keyfob-server partner delete "Acme CRO" --home ./operator --confirm "Acme CRO"
    """
    said = Said(dry_run, yes, confirm)
    asked = OnePartner(partner=name)
    with at_desk(surroundings, place) as desk:
        touched = desk.perform(endings.PARTNER_GOES, asked).document
        if dry_run:
            return _shown(f"would delete {name}", touched)
        confirming.check(said, f"delete {name}", name, instead="it may stay as it is: it is revoked")
        done = desk.perform(endings.DELETE_PARTNER, asked).document
    count = len(listed(done, "clients"))
    return Result(done, f"{name} is deleted, with {count} clients; the audit trail keeps them")


def _shown(what: str, touched: Document) -> Result:
    unopened = listed(touched, "unopened_messages")
    lines = [f"{what}: {_counts(touched)}; nothing was changed"]
    lines += [f"  client      {one}" for one in listed(touched, "clients")]
    lines += [f"  secret      {one}{' (not used yet)' * (one in unopened)}" for one in listed(touched, "credentials")]
    return Result({"dry_run": True, **{name: touched[name] for name in _TOUCHED}}, "\n".join(lines))


def _counts(touched: Document) -> str:
    clients, credentials, unopened = (len(listed(touched, name)) for name in _TOUCHED)
    return f"clients: {clients}, secrets: {credentials}, unopened: {unopened}"
