"""`keyfob-server partner webhook`: a partner is told at a webhook of its own, too."""

from pathlib import Path

import click

from keyfob.command import Result, shows_result
from keyfob.problem import Misuse
from keyfob.server.admin import partner_webhooks as operations
from keyfob.server.admin.partner_webhooks import Webhook
from keyfob.server.admin.partners import OnePartner
from keyfob.server.commands.partners import partner
from keyfob.server.commands.place import Place, at_desk, perform, place_options
from keyfob.server.commands.surroundings import Surroundings, reason_option
from keyfob.server.commands.tray import Tray


@partner.command(short_help="Tell a partner at a webhook of its own, too.")
@click.argument("name")
@place_options()
@click.option("--url", metavar="URL", help="Where to, https; every time with a new secret.")
@click.option("--remove", is_flag=True, help="By e-mail alone again.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    metavar="FILE.asc",
    help="The secret, sealed to the partner. Default: ./PARTNER_ID.webhook.asc",
)
@reason_option()
@click.pass_obj
@shows_result
def webhook(
    surroundings: Surroundings, *, name: str, place: Place, url: str | None, remove: bool, out: Path | None
) -> Result:
    """Tell a partner what concerns it at a webhook of its own, besides by e-mail.

    It is posted and signed as your own alarms are (Standard Webhooks). The secret that signs is sealed to the partner's
    certificate, in a file for you to hand over; nobody sees it. A host in an inner network is refused, unless
    keys.jwks_uri_networks permits it.

    \b
    Example:
      keyfob-server partner webhook "Acme CRO" --home ./operator --url https://acme.example/keyfob
    """
    if (url is None) is not remove:
        raise Misuse("webhook-missing", "exactly one of --url and --remove is needed", hint="give one")
    if url is None:
        done = perform(surroundings, place, operations.REMOVE, OnePartner(partner=name))
        return Result({"partner": name, "sealed": None}, f"{done.document['partner']} is told by e-mail alone")
    tray = Tray(out)
    tray.check(place)
    with at_desk(surroundings, place, outlet=tray) as desk:
        made = desk.perform(operations.POINT, Webhook(partner=name, url=url)).document
    path = tray.take(place, made)
    return Result({"partner": name, "sealed": str(path)}, f"{name} is told there, too; the secret is sealed in {path}")
