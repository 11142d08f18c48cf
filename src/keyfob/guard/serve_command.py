"""`keyfob-guard serve` and `routes`: the guard for an API in any language, behind a proxy that asks it."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import click

from keyfob import command
from keyfob.ambient import system_entropy
from keyfob.command import Result, shows_result
from keyfob.guard import route_table
from keyfob.guard.file_replays import FileReplays
from keyfob.guard.guard import Guard
from keyfob.guard.issuer import MAX_FEED_AGE
from keyfob.guard.route_table import RouteTable
from keyfob.oauth import resource_indicator, resource_metadata, trusted_proxies
from keyfob.oauth.trusted_proxies import TrustedProxies
from keyfob.problem import Misuse

_PATH = click.Path(path_type=Path)


@click.command(short_help="Show what each route needs.")
@click.argument("file", type=_PATH, metavar="FILE.json")
@click.option("--resource", required=True, metavar="URL", help="The API's own https URL: where its paths begin.")
@shows_result
def routes(*, file: Path, resource: str) -> Result:
    """Read the API's routes, from an OpenAPI 3 document or a table of your own, and show what each needs.

    \b
    The table: {"GET /orders/{id}": "orders:read", "POST /orders": "orders:write", "GET /health": null}
    Of scopes with a space between them each is needed; a list is a choice; null needs no token. What is not in the
    table is refused.

    \b
    Example:
      keyfob-guard routes routes.json --resource https://localhost:9643
    """
    listed = route_table.describe(_read_routes(file, resource))
    rows = [(one.method, one.path, " or ".join(scope or "no token" for scope in one.scopes)) for one in listed]
    document = [{"method": one.method, "path": one.path, "scopes": list(one.scopes)} for one in listed]
    return Result({"routes": document}, command.table(("method", "path", "needs"), rows))


@click.command(short_help="Judge requests for a proxy in front of an API in any language.")
@click.option(
    "--issuer",
    "issuers",
    required=True,
    multiple=True,
    metavar="URL",
    help="The authorization server whose tokens are taken; again for each other one.",
)
@click.option("--resource", required=True, metavar="URL", help="The API's own https URL: the audience of its tokens.")
@click.option(
    "--routes",
    "file",
    type=_PATH,
    required=True,
    metavar="FILE.json",
    help="What each route needs: see keyfob-guard routes.",
)
@click.option("--resource-key", type=_PATH, metavar="FILE.pem", help="The API's own key: revocations are seen with it.")
@click.option("--ca", type=_PATH, metavar="FILE", help="The authority of the issuer's TLS certificate, PEM.")
@click.option(
    "--max-feed-age",
    type=click.IntRange(5),
    default=MAX_FEED_AGE,
    show_default=True,
    metavar="SECONDS",
    help="How long an issuer that is away is done without.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", type=click.IntRange(1, 65535), default=9393, show_default=True, help="The port.")
@click.option("--tls-cert", type=_PATH, metavar="FILE", help="A certificate chain, PEM: needed beyond loopback.")
@click.option("--tls-key", type=_PATH, metavar="FILE", help="Its private key, PEM.")
@click.option(
    "--trusted-proxy",
    "proxies",
    multiple=True,
    metavar="ADDRESS",
    help="The proxy's address, or its network (CIDR); again for each other one. Then nobody else is answered.",
)
@click.option("--workers", type=click.IntRange(1, 64), default=1, show_default=True, help="Processes that judge.")
@click.option("--replays", type=_PATH, metavar="FILE", help="Where several workers remember used DPoP proofs.")
@click.option("--dpop-nonce", is_flag=True, help="A DPoP proof must hold a nonce of the guard's (RFC 9449 section 9).")
@click.option(
    "--client-certificates", is_flag=True, help="The proxy tells the client's certificate by Client-Cert (RFC 9440)."
)
def serve(
    *, issuers: tuple[str, ...], resource: str, file: Path, resource_key: Path | None, ca: Path | None,
    max_feed_age: int, host: str, port: int, tls_cert: Path | None, tls_key: Path | None, proxies: tuple[str, ...],
    workers: int, replays: Path | None, dpop_nonce: bool, client_certificates: bool,
) -> None:  # fmt: skip
    """Answer a proxy whether a request may pass: nginx auth_request, Traefik or Caddy forward auth, Envoy ext_authz.

    Nobody but the proxy may reach it: it listens on loopback, or speaks TLS and --trusted-proxy says who is answered.
    The proxy's own configuration is in docs/how-to/guard/any-language.md. SIGTERM lets running requests end.

    \b
    Example:
      keyfob-guard serve --issuer https://localhost:8443 --resource https://localhost:9643 --routes routes.json \\
        --resource-key orders-key.pem
    """
    if (tls_cert is None) is not (tls_key is None):
        raise Misuse("bad-tls", "--tls-cert and --tls-key belong together", hint="give both, or none on loopback")
    if tls_cert is None and not resource_indicator.is_loopback(host):
        raise Misuse(
            "needs-tls", f"{host} is not loopback: tokens would pass in clear", hint="give --tls-cert and --tls-key"
        )
    if workers > 1 and replays is None:
        raise Misuse(
            "needs-replays", "several workers must share their memory of used DPoP proofs", hint="give --replays FILE"
        )
    named = _read_proxies(proxies)
    table = _read_routes(file, resource)
    try:
        from keyfob import serving
        from keyfob.guard import forward_auth
        from keyfob.serving import listener
    except ModuleNotFoundError as missing:
        raise Misuse(
            "not-installed", "the packages that keyfob-guard serve needs are not installed",
            hint='in the checkout: python -m pip install ".[server]"',
        ) from missing  # fmt: skip

    @contextlib.contextmanager
    def app() -> Iterator[serving.App]:
        guard = Guard.discover(
            issuers, audience=resource, ca_file=ca, resource_key=resource_key, max_feed_age=max_feed_age,
            replays=None if replays is None else FileReplays(replays), dpop_nonce=dpop_nonce,
        )  # fmt: skip
        metadata = resource_metadata.well_known(resource)
        yield forward_auth.make_app(
            guard, table, resource_metadata=metadata, client_certificates=client_certificates, entropy=system_entropy,
            trusted_proxies=named,
        )  # fmt: skip

    # A proxy on this machine comes from the address that it asks.
    here = TrustedProxies(frozenset({host, *(("127.0.0.1", "::1") if host == "localhost" else ())}))
    scheme = "http" if tls_cert is None else "https"
    listener.serve_workers(
        app, workers=workers, host=host, port=port, certificate=tls_cert, private_key=tls_key,
        ready=f"{scheme}://{host}:{port}", trusted_proxies=named or here,
    )  # fmt: skip


def _read_routes(path: Path, resource: str) -> RouteTable:
    body = command.read_file(path, max_bytes=route_table.MAX_BYTES)
    return route_table.read(body, resource=resource, source=str(path))


def _read_proxies(given: tuple[str, ...]) -> TrustedProxies:
    try:
        # An empty one is refused: it would open what was meant to be closed.
        return trusted_proxies.read([trusted_proxies.check(one) for one in given])
    except ValueError as wrong:
        raise Misuse("bad-proxy", f"--trusted-proxy {wrong}", hint="give the option once for each proxy") from None
