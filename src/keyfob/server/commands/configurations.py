"""`keyfob-server check-config`: what the settings come to, and every mistake in them, without starting anything."""

from pathlib import Path

import click

from keyfob import configuration
from keyfob import home as homes
from keyfob.command import Result, shows_result
from keyfob.home import HomeKind
from keyfob.server import settings
from keyfob.server.commands.surroundings import Surroundings, home_option

_TLS = ("tls.certificate", "tls.private_key")


@click.command("check-config", short_help="Say every mistake in the settings, and what each comes to.")
@home_option()
@click.pass_obj
@shows_result
def check_config(surroundings: Surroundings, *, home: Path) -> Result:
    """Read keyfob.toml and the environment, and say every mistake with its line or variable.

    Each setting is shown with the value that counts and whence it comes; a secret never. Nothing is started or changed.
    The exit status is 2 when there is a mistake.

    \b
    Example:
      keyfob-server check-config --home ./operator
    """
    homes.check(home, HomeKind.SERVER)
    found = settings.survey(home, surroundings.environ)
    # Where the proxy speaks plain HTTP, nobody reads the certificate here.
    is_plain = found.find("http.trusted_proxy").value and found.find("http.proxy_speaks").value == "http"
    unused = _TLS if is_plain else ()
    faults = (*found.faults, *configuration.missing_files(found, home, unused=unused))
    secrets = {name: name in surroundings.environ for name in settings.SECRET_VARIABLES}
    return configuration.report(
        found, faults, unknown=settings.unknown_variables(surroundings.environ), secrets=secrets
    )
