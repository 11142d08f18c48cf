"""`keyfob-server client|partner revoke|delete`, `client revoke-credential`: what cannot be taken back."""

from pathlib import Path

import click

from keyfob.command import Result, shows_result
from keyfob.server.commands import confirming
from keyfob.server.commands.clients import client
from keyfob.server.commands.confirming import Said
from keyfob.server.commands.partners import partner
from keyfob.server.commands.surroundings import Surroundings, actor, home_option, opened, reason_option
from keyfob.server.lifecycle import clients, endings, partners
from keyfob.server.lifecycle.endings import Touched
from keyfob.server.lifecycle.states import Event, after

_STOP_CLIENT = "to stop it for a while: client suspend"
_STOP_PARTNER = "to stop it for a while: partner suspend"


@client.command(short_help="End a client for good.")
@click.argument("client_id")
@home_option()
@confirming.options
@reason_option(dry_run=False)
@click.pass_obj
@shows_result
def revoke(
    surroundings: Surroundings, *, client_id: str, home: Path, dry_run: bool, yes: bool, confirm: str | None
) -> Result:
    """End a client for good; its tokens are refused everywhere within 5 seconds. There is no way back.

    On a terminal it asks for the client's name, except with --yes, --confirm or --json.

    \b
    Example:
      keyfob-server client revoke cl_3kD... --home ./operator --reason "contract ended"
    """
    said = Said(dry_run, yes, confirm)
    with opened(surroundings, home) as installation:
        with installation.store.reading() as reading:
            found = clients.get(reading, client_id).client
            touched = endings.of_client(reading, client_id, now=surroundings.clock())
            after(found.state, Event.REVOKE)
        if dry_run:
            return _shown(f"would revoke {client_id} ({found.name})", touched)
        confirming.check(said, f"revoke {client_id}", found.name, instead=_STOP_CLIENT, needs_word=False)
        with installation.store.change(now=surroundings.clock(), actor=actor()) as change:
            # As of here, where nobody else writes: it may have taken long to get a turn, and tokens went out meanwhile.
            state = clients.set_state(change, client_id, Event.REVOKE, now=surroundings.clock())
    return Result({"client_id": client_id, "state": state.value}, f"{client_id} is {state}")


@client.command("revoke-credential", short_help="End one secret of a client for good.")
@click.argument("client_id")
@click.argument("credential_id")
@home_option()
@confirming.options
@reason_option(dry_run=False)
@click.pass_obj
@shows_result
def revoke_credential(
    surroundings: Surroundings,
    *,
    client_id: str,
    credential_id: str,
    home: Path,
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
    with opened(surroundings, home) as installation:
        with installation.store.reading() as reading:
            found = clients.get(reading, client_id).client
            touched = endings.of_credential(reading, client_id, credential_id)
        if dry_run:
            return _shown(f"would revoke a secret of {client_id} ({found.name})", touched)
        confirming.check(said, f"revoke the secret {credential_id} of {client_id}", found.name, instead=_STOP_CLIENT)
        with installation.store.change(now=surroundings.clock(), actor=actor()) as change:
            others = endings.revoke_credential(change, client_id, credential_id, now=surroundings.clock())
    document = {"client_id": client_id, "credential_id": credential_id, "state": "revoked", "others_work": others}
    then = "another secret works" if others else f"no other works: keyfob-server client rotate {client_id}"
    return Result(document, f"{credential_id} is revoked; {then}")


@client.command("delete", short_help="Forget a client that was revoked.")
@click.argument("client_id")
@home_option()
@confirming.options
@reason_option(dry_run=False)
@click.pass_obj
@shows_result
def delete_client(
    surroundings: Surroundings, *, client_id: str, home: Path, dry_run: bool, yes: bool, confirm: str | None
) -> Result:
    """Forget a client that was revoked, once no token of it can be alive: about 17 minutes after.

    What it was granted, its secrets' hashes and its dates go; the audit trail keeps every record of it. Its id is never
    given again. It asks for the client's name; without a terminal, add --confirm NAME or --yes.

    \b
    Example:
      keyfob-server client delete cl_3kD... --home ./operator --confirm edc-sync
    """
    said = Said(dry_run, yes, confirm)
    with opened(surroundings, home) as installation:
        with installation.store.reading() as reading:
            view = clients.get(reading, client_id)
            now = surroundings.clock()
            endings.check_deletable(reading, state=view.client.state, client_ids=[client_id], now=now)
        ids = tuple(one.id for one in view.credentials)
        if dry_run:
            return _shown(f"would delete {client_id} ({view.client.name})", Touched((client_id,), ids, ()))
        confirming.check(said, f"delete {client_id}", view.client.name, instead="it may stay as it is: it is revoked")
        with installation.store.change(now=surroundings.clock(), actor=actor()) as change:
            endings.delete_client(change, client_id, now=surroundings.clock())
    return Result({"client_id": client_id, "state": "deleted"}, f"{client_id} is deleted; the audit trail keeps it")


@partner.command("revoke", short_help="Withdraw everything of a partner, for good.")
@click.argument("name")
@home_option()
@confirming.options
@reason_option(dry_run=False)
@click.pass_obj
@shows_result
def revoke_partner(
    surroundings: Surroundings, *, name: str, home: Path, dry_run: bool, yes: bool, confirm: str | None
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
    with opened(surroundings, home) as installation:
        with installation.store.reading() as reading:
            touched = endings.of_partner(reading, name, now=surroundings.clock())
            after(partners.get(reading, name).state, Event.REVOKE)
        if dry_run:
            return _shown(f"would revoke {name}", touched)
        confirming.check(said, f"withdraw everything of {name}, {_counts(touched)},", name, instead=_STOP_PARTNER)
        with installation.store.change(now=surroundings.clock(), actor=actor()) as change:
            touched = endings.revoke_partner(change, name, now=surroundings.clock())
    return Result({"partner": name, "state": "revoked", **touched.document}, f"revoked: {name}, {_counts(touched)}")


@partner.command("delete", short_help="Forget a partner that was revoked.")
@click.argument("name")
@home_option()
@confirming.options
@reason_option(dry_run=False)
@click.pass_obj
@shows_result
def delete_partner(
    surroundings: Surroundings, *, name: str, home: Path, dry_run: bool, yes: bool, confirm: str | None
) -> Result:
    """Forget a partner that was revoked, and its clients, once no token of them can be alive: about 17 minutes after.

    The audit trail keeps every record. Its name and its certificate may be taken up anew, its ids never come back. It
    asks for the partner's name; without a terminal, add --confirm NAME or --yes.

    \b
    Example:
      keyfob-server partner delete "Acme CRO" --home ./operator --confirm "Acme CRO"
    """
    said = Said(dry_run, yes, confirm)
    with opened(surroundings, home) as installation:
        with installation.store.reading() as reading:
            found = partners.get(reading, name)
            ids = tuple(one.id for one in reading.clients(partner_id=found.id))
            endings.check_deletable(reading, state=found.state, client_ids=ids, now=surroundings.clock())
        if dry_run:
            return _shown(f"would delete {name}", Touched(ids, (), ()))
        confirming.check(said, f"delete {name}", name, instead="it may stay as it is: it is revoked")
        with installation.store.change(now=surroundings.clock(), actor=actor()) as change:
            ids = endings.delete_partner(change, name, now=surroundings.clock())
    document = {"partner": name, "state": "deleted", "clients": list(ids)}
    return Result(document, f"{name} is deleted, with {len(ids)} clients; the audit trail keeps them")


def _shown(what: str, touched: Touched) -> Result:
    lines = [f"{what}: {_counts(touched)}; nothing was changed"]
    lines += [f"  client      {one}" for one in touched.clients]
    lines += [f"  secret      {one}{' (not used yet)' * (one in touched.unopened)}" for one in touched.credentials]
    return Result({"dry_run": True, **touched.document}, "\n".join(lines))


def _counts(touched: Touched) -> str:
    return f"clients: {len(touched.clients)}, secrets: {len(touched.credentials)}, unopened: {len(touched.unopened)}"
