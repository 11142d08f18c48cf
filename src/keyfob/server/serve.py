"""`keyfob-server serve`: the authorization server, until it is told to stop."""

from pathlib import Path
from urllib.parse import urlsplit

import click

from keyfob import serving, tls
from keyfob.server import group_commit, installation
from keyfob.server.alarms import sinks
from keyfob.server.app import make_app
from keyfob.server.commands.surroundings import Surroundings, home_option, key_sets
from keyfob.server.state import ServerState

_HTTPS = 443


@click.command(short_help="Serve the issuer over HTTPS.")
@home_option()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port.  [default: the issuer's]")
@click.pass_obj
def serve(surroundings: Surroundings, *, home: Path, host: str, port: int | None) -> None:
    """Serve the issuer over HTTPS; `ready https://...` is printed once tokens can be had.

    SIGTERM lets running requests end (within 10 seconds). A renewed certificate file is taken up while running, and
    what you change with other commands holds from the next request on.

    \b
    Example:
      keyfob-server serve --home ./operator
    """
    found = installation.open(
        home, environ=surroundings.environ, entropy=surroundings.entropy, patience=group_commit.PATIENCE
    )
    settings = found.settings
    # Plain HTTP only behind the proxy that the operator named; whoever goes around it is refused.
    is_plain = settings.trusted_proxy is not None
    if not is_plain and (
        doubt := tls.find_doubt(settings.tls_certificate, url=settings.issuer, now=surroundings.clock())
    ):
        click.echo(f"keyfob-server: WARNING: {doubt}: partners will refuse it", err=True)
    try:
        told = sinks.make(found, environ=surroundings.environ, clock=surroundings.clock)
        state = ServerState(
            found,
            clock=surroundings.clock,
            entropy=surroundings.entropy,
            sinks=told,
            key_sets=key_sets(surroundings, settings),
        )
        serving.serve(
            make_app(state),
            host=host,
            port=port or urlsplit(settings.issuer).port or _HTTPS,
            certificate=None if is_plain else settings.tls_certificate,
            private_key=None if is_plain else settings.tls_private_key,
            ready=settings.issuer,
            limits=settings.limits,
            trusted_proxy=settings.trusted_proxy,
        )
    finally:
        found.close()
