"""`keyfob-server key`: the keys that sign access tokens."""

import click

from keyfob.command import Result, shows_result, table
from keyfob.server.admin import keys
from keyfob.server.admin.operation import Nothing
from keyfob.server.commands.place import Place, listed, number, perform, place_options, shown
from keyfob.server.commands.surroundings import Surroundings, show_time


@click.group()
def key() -> None:
    """The keys that sign access tokens."""


@key.command("list", short_help="The signing keys, the current one first.")
@place_options()
@click.pass_obj
@shows_result
def list_keys(surroundings: Surroundings, *, place: Place) -> Result:
    """The signing keys, the current one first, as the server publishes them. Private halves are never shown.

    \b
    Example:
      keyfob-server key list --home ./operator
    """
    document = perform(surroundings, place, keys.LIST, Nothing()).document
    rows = [
        (one["kid"], one["algorithm"], one["state"], show_time(one["not_before"])) for one in listed(document, "keys")
    ]
    return Result(document, table(("KEY", "ALGORITHM", "STATE", "SIGNS FROM"), rows))


@key.command("rotate")
@place_options()
@click.option(
    "--emergency", is_flag=True, help="A key may have been stolen: sign with a new one now, refuse all older tokens."
)
@click.pass_obj
@shows_result
def rotate_key(surroundings: Surroundings, *, place: Place, emergency: bool) -> Result:
    """Make the next signing key. A running server publishes it at once and signs with it 15 minutes later.

    Until then every API can fetch it, so that no call fails. The old key stays published until its last token is dead.
    The server does this by itself every 30 days (the setting keys.rotation_days); what the next key signs with is
    keys.algorithm.

    With --emergency the new key signs at once, and everything that the old ones signed is refused: by guards within
    5 seconds, each client gets itself a new token at its next call.

    \b
    Example:
      keyfob-server key rotate --home ./operator
    """
    done = perform(surroundings, place, keys.REPLACE_ALL if emergency else keys.ROTATE, Nothing())
    kid = done.document.get("kid")
    if emergency:
        gone = listed(done.document, "revoked")
        return shown(done, lambda: f"{kid} signs now; revoked with all that they signed: {', '.join(gone)}")
    return shown(done, lambda: f"{kid} is published, and signs from {show_time(number(done.document, 'signs_from'))}")
