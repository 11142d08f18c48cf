"""`keyfob-server serve`: the authorization server, until it is told to stop."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import click

from keyfob import group_commit, tls
from keyfob import home as homes
from keyfob.server import installation
from keyfob.server.alarms import sinks
from keyfob.server.app import make_app
from keyfob.server.client_trust import ClientTrust
from keyfob.server.commands.surroundings import Surroundings, home_option, key_sets, scanner
from keyfob.server.installation import Installation
from keyfob.server.notices import channels
from keyfob.server.state import ServerState
from keyfob.serving import Anchors, App, listener

_HTTPS = 443


@click.command(short_help="Serve the issuer over HTTPS.")
@home_option()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port.  [default: the issuer's]")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that share the port."
)
@click.pass_obj
def serve(surroundings: Surroundings, *, home: Path, host: str, port: int | None, workers: int) -> None:
    """Serve the issuer over HTTPS; `ready https://...` is printed once tokens can be had.

    Of several workers, one that is lost is replaced. Tokens of a client and failures are counted for all workers and
    nodes together on PostgreSQL; on SQLite, and connections everywhere, each worker counts by itself.

    SIGTERM lets running requests end (within 10 seconds). A renewed certificate file is taken up while running, and
    what you change with other commands holds from the next request on.

    \b
    Example:
      keyfob-server serve --home ./operator
    """

    @contextlib.contextmanager
    def opened() -> Iterator[Installation]:
        found = installation.open(
            home, environ=surroundings.environ, entropy=surroundings.entropy, patience=group_commit.PATIENCE
        )
        try:
            yield found
        finally:
            found.close()

    @contextlib.contextmanager
    def app() -> Iterator[App]:
        with opened() as found:
            told = sinks.make(found, environ=surroundings.environ, clock=surroundings.clock)
            fetched = key_sets(surroundings, found.settings)
            clock, entropy = surroundings.clock, surroundings.entropy
            ways = channels.make(found, told, environ=surroundings.environ, clock=clock)
            state = ServerState(
                found,
                clock=clock,
                entropy=entropy,
                sinks=told,
                key_sets=fetched,
                anchors=anchors,
                channels=ways,
                scanner=scanner(surroundings, found.settings),
            )
            yield make_app(state)

    with opened() as found:  # before anything listens: what is wrong is said here, and the schema is brought up to date
        settings = found.settings
        ClientTrust(settings.client_ca if settings.asks_for_certificates else None)
    # Plain HTTP only behind the proxy that the operator named; whoever goes around it is refused.
    is_plain = settings.is_plain
    anchors = Anchors() if settings.asks_for_certificates and not settings.trusted_proxies else None
    if not is_plain and (
        doubt := tls.find_doubt(settings.tls_certificate, url=settings.issuer, now=surroundings.clock())
    ):
        click.echo(f"keyfob-server: WARNING: {doubt}: partners will refuse it", err=True)
    with homes.in_use(home):
        listener.serve_workers(
            app,
            workers=workers,
            host=host,
            port=port or urlsplit(settings.issuer).port or _HTTPS,
            certificate=None if is_plain else settings.tls_certificate,
            private_key=None if is_plain else settings.tls_private_key,
            ready=settings.issuer,
            limits=settings.limits,
            trusted_proxies=settings.trusted_proxies,
            anchors=anchors,
        )
