"""The program `keyfob-guard`: for the developer of an API. Parses, calls, prints."""

import json
from pathlib import Path
from typing import NoReturn

import click

from keyfob import command, home
from keyfob.command import Result, shows_result
from keyfob.core_dumps import forbid_core_dumps
from keyfob.guard.serve_command import routes, serve
from keyfob.jose import keys
from keyfob.oauth import resource_metadata
from keyfob.oauth.server_metadata import MalformedMetadata, parse_object
from keyfob.problem import Misuse

_MAX_BYTES = 64 * 1024


@command.version_option()
@click.group(context_settings=command.HELP)
def cli() -> None:
    """Let an API of your own take Keyfob's access tokens: in a Python program by keyfob.guard, else behind a proxy.

    \b
    Begin with:
      keyfob-guard key orders.json --out orders-key.pem
    Behind a proxy:
      keyfob-guard serve --issuer URL --resource URL --routes routes.json --resource-key orders-key.pem
    """


@cli.command(short_help="Make the API's own key, and register its public half.")
@click.argument("resource", type=click.Path(path_type=Path), metavar="RESOURCE.json")
@click.option(
    "--out", type=click.Path(path_type=Path), required=True, metavar="FILE.pem", help="The private key (mode 0600)."
)
@shows_result
def key(*, resource: Path, out: Path) -> Result:
    """Make the key by which an API proves who it is, and put its public half into RESOURCE.json.

    The operator registers that file: keyfob-server resource add RESOURCE.json. With the private half the guard reads
    the issuer's revocation feed: Guard.discover(..., resource_key=FILE.pem). A public key that stands there already
    stays, so that you can change over; take it out and register again when nothing signs with it any more.

    \b
    Example:
      keyfob-guard key orders.json --out orders-key.pem
    """
    try:
        document = parse_object(command.read_file(resource, max_bytes=_MAX_BYTES))
        resource_metadata.read(json.dumps(document).encode())
    except MalformedMetadata as malformed:
        raise Misuse(
            "bad-resource", f"{resource}: {malformed}", hint="it says resource, authorization_servers, scopes_supported"
        ) from malformed
    made = keys.generate()
    jwks = document.get("jwks")
    listed = jwks.get("keys", []) if isinstance(jwks, dict) else []
    document["jwks"] = {"keys": [*listed, made.public_jwk()]}
    # The private half first: a registered key that nobody has would be worse than one that is not registered.
    home.write_new_file(out, made.to_secret().reveal_bytes())
    home.write_file(resource, json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n", mode=0o644)
    text = f"made {out}; its public half is in {resource}\n"
    text += f"the operator runs: keyfob-server resource add {resource.name}"
    return Result({"kid": made.kid, "private_key": str(out), "resource": str(resource)}, text)


cli.add_command(routes)
cli.add_command(serve)


def main() -> NoReturn:
    forbid_core_dumps()
    command.run(cli, "keyfob-guard")


if __name__ == "__main__":
    main()
