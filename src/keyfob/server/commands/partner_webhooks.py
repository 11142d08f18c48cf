"""`keyfob-server partner webhook`: a partner is told at a webhook of its own, too."""

from pathlib import Path

import click

from keyfob.command import Result, shows_result
from keyfob.problem import Misuse
from keyfob.server.commands.partners import partner
from keyfob.server.commands.surroundings import Surroundings, actor, home_option, opened, reason_option
from keyfob.server.lifecycle import partner_webhooks


@partner.command(short_help="Tell a partner at a webhook of its own, too.")
@click.argument("name")
@home_option()
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
    surroundings: Surroundings, *, name: str, home: Path, url: str | None, remove: bool, out: Path | None
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
    now = surroundings.clock()
    with opened(surroundings, home) as installation:
        if url is None:
            partner_webhooks.remove(installation, name, now=now, actor=actor())
            return Result({"partner": name, "sealed": None}, f"{name} is told by e-mail alone")
        path = partner_webhooks.point(
            installation, name, url, out=out, now=now, entropy=surroundings.entropy, actor=actor()
        )
    return Result({"partner": name, "sealed": str(path)}, f"{name} is told there, too; the secret is sealed in {path}")
