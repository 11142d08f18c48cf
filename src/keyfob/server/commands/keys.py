"""`keyfob-server key`: the keys that sign access tokens."""

import click

from keyfob.command import Result, shows_result, table
from keyfob.server.admin import keys
from keyfob.server.admin.keys import NewKey
from keyfob.server.admin.operation import Nothing
from keyfob.server.commands import confirming
from keyfob.server.commands.confirming import Said
from keyfob.server.commands.place import Place, at_desk, listed, number, perform, place_options
from keyfob.server.commands.rehearsing import is_rehearsal
from keyfob.server.commands.surroundings import Surroundings, reason_option, show_time


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
        (one["kid"], one["algorithm"], one["state"], show_time(one["not_before"]), one["in"])
        for one in listed(document, "keys")
    ]
    text = table(("KEY", "ALGORITHM", "STATE", "SIGNS FROM", "IN"), rows)
    return Result(document, f"{text}\nkey-encryption key: {document['kek']}")


@key.command("rotate")
@place_options()
@click.option(
    "--in",
    "where",
    metavar="aws-kms:ARN|file",
    help="Where the key lies: one in AWS KMS, which must be there, or a new one in the home (the default, unless the "
    "newest is in KMS).",
)
@click.option(
    "--emergency", is_flag=True, help="A key may have been stolen: sign with a new one now, refuse all older tokens."
)
@confirming.words
@reason_option()
@click.pass_obj
@shows_result
def rotate_key(
    surroundings: Surroundings, *, place: Place, where: str | None, emergency: bool, yes: bool, confirm: str | None
) -> Result:
    """Make the next signing key. A running server publishes it at once and signs with it 15 minutes later.

    Until then every API can fetch it, so that no call fails. The old key stays published until its last token is dead.
    The server does this by itself every 30 days (the setting keys.rotation_days); what the next key signs with is
    keys.algorithm. A key in AWS KMS never leaves it, and gets no successor by itself: rotate to another one with --in.

    With --emergency the new key signs at once, and everything that the old ones signed is refused: by guards within
    5 seconds, each client gets itself a new token at its next call. It asks for the issuer; without a terminal, add
    --confirm ISSUER or --yes.

    \b
    Example:
      keyfob-server key rotate --home ./operator
    """
    operation = keys.REPLACE_ALL if emergency else keys.ROTATE
    with at_desk(surroundings, place) as desk:
        if emergency:
            issuer = str(desk.perform(keys.LIST, Nothing()).document["issuer"])
            said = Said(is_rehearsal(), yes, confirm)
            confirming.check(said, f"refuse all tokens of {issuer}", issuer, instead="without a theft: key rotate")
        done = desk.perform(operation, NewKey(place=where)).document
    if emergency:
        return Result(
            done, f"{done['kid']} signs now; revoked with all that they signed: {', '.join(listed(done, 'revoked'))}"
        )
    return Result(done, f"{done['kid']} is published, and signs from {show_time(number(done, 'signs_from'))}")
