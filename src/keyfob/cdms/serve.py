"""`keyfob-cdms serve`: the clinical data API, until it is told to stop."""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import click
from cryptography.hazmat.primitives.serialization import Encoding

from keyfob import home as homes
from keyfob import tls
from keyfob.ambient import Clock
from keyfob.cdms import installation, openapi
from keyfob.cdms.app import make_app
from keyfob.cdms.call import Surroundings
from keyfob.cdms.installation import Installation
from keyfob.cdms.options import Ground, home_option, open_home
from keyfob.cdms.proofs import StoredReplays
from keyfob.client_certificates import read_authorities
from keyfob.guard import Guard
from keyfob.serving import Anchors, App, listener

_HTTPS = 443


@click.command(short_help="Serve the API over HTTPS.")
@home_option
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), help="The port.  [default: the resource's]")
@click.option(
    "--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that share the port."
)
@click.pass_obj
def serve(ground: Ground, *, home: Path, host: str, port: int | None, workers: int) -> None:
    """Serve the API over HTTPS; `ready https://...` is printed once it answers, also while the issuer is away.

    Of several workers, one that is lost is replaced; each counts what is limited (exports of a client, connections) by
    itself, so that all together let through as many times more.

    SIGTERM lets running requests end (within 10 seconds); a renewed certificate file is taken up while running.

    \b
    Example:
      keyfob-cdms serve --home ./cdms
    """
    with contextlib.closing(open_home(home, ground)) as found:
        # Before anything listens: what is wrong is said here, and the schema is brought up to date.
        settings = found.settings
        _make_guard(found, ground.clock)
        found.store.check_clock(ground.clock())
    if doubt := tls.find_doubt(settings.tls_certificate, url=settings.resource, now=ground.clock()):
        click.echo(f"keyfob-cdms: WARNING: {doubt}: partners will refuse it", err=True)

    @contextlib.contextmanager
    def app() -> Iterator[App]:
        opened = installation.open(home, environ=ground.environ, entropy=ground.entropy)
        with contextlib.closing(opened) as found:
            documents = found.resource_document, openapi.write(settings)
            surroundings = Surroundings(found.store, settings, ground.entropy, *documents)
            yield make_app(surroundings, _make_guard(found, ground.clock), clock=ground.clock)

    with homes.in_use(home):
        listener.serve_workers(
            app,
            workers=workers,
            host=host,
            port=port or urlsplit(settings.resource).port or _HTTPS,
            certificate=settings.tls_certificate,
            private_key=settings.tls_private_key,
            ready=settings.resource,
            limits=settings.limits,
            anchors=_read_anchors(settings.client_ca),
        )


def _make_guard(found: Installation, clock: Clock) -> Guard:
    settings = found.settings
    return Guard.discover(
        settings.issuer,
        audience=settings.resource,
        ca_file=settings.ca_file,
        resource_key=found.resource_key,
        max_feed_age=settings.max_feed_age,
        dpop_nonce=settings.dpop_nonce,
        replays=StoredReplays(found.store, clock=clock),
    )


def _read_anchors(client_ca: Path | None) -> Anchors | None:
    if client_ca is None:
        return None
    return Anchors(one.public_bytes(Encoding.DER) for one in read_authorities(client_ca))
