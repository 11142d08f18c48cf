"""`keyfob-server import hydra|keycloak FILE`: another server's clients as a file that `apply` takes, after a review."""

from collections.abc import Callable
from pathlib import Path

import click

from keyfob import command
from keyfob import home as homes
from keyfob.command import Result, shows_result
from keyfob.problem import Misuse
from keyfob.server.admin.desk import Document
from keyfob.server.admin.partners import SHOW, OnePartner
from keyfob.server.admin.resources import LIST
from keyfob.server.commands.place import Place, listed, perform, perform_all, place_options
from keyfob.server.commands.surroundings import Surroundings, file_argument_type
from keyfob.server.imports import found, hydra, keycloak
from keyfob.server.imports.found import Found, Taken
from keyfob.server.lifecycle import declaration_form
from keyfob.server.lifecycle.declaration import VERSION
from keyfob.server.lifecycle.names import near_miss

_NAME = "partners.toml"
_MAX_BYTES = 64 * 1024 * 1024
_READERS: dict[str, Callable[..., tuple[Found, ...]]] = {"hydra": hydra.read, "keycloak": keycloak.read}


@click.command("import", short_help="Another server's clients as a file for `apply`.")
@click.argument("origin", type=click.Choice(tuple(_READERS)))
@click.argument("file", type=file_argument_type())
@place_options()
@click.option("--partner", required=True, metavar="NAME", help="Whose programs they are; it is known already.")
@click.option("--resource", required=True, multiple=True, metavar="URL", help="The API that they call; repeatable.")
@click.option("--client", "chosen", multiple=True, metavar="NAME", help="Only this one; repeatable.")
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Where partners.toml is written."
)
@click.option("--dry-run", is_flag=True, help="Show what would be taken over, and write nothing.")
@click.pass_obj
@shows_result
def import_clients(
    surroundings: Surroundings,
    *,
    origin: str,
    file: Path,
    place: Place,
    partner: str,
    resource: tuple[str, ...],
    chosen: tuple[str, ...],
    out: Path,
    dry_run: bool,
) -> Result:
    """Read the JSON export of another authorization server and write its clients as DIR/partners.toml, to be reviewed.

    Taken over are names, scopes that the resources have, public keys, lifetimes and whether a client is suspended; all
    else is named, with the reason. No secret is taken over: `apply` gives each client a new one, sealed, and a new
    client_id. A secret that stands in the export in clear is reported as leaked.

    \b
    Example:
      keyfob-server import keycloak realm.json --home ./operator --partner "Acme CRO" \\
        --resource https://localhost:8444 --out ./imported
    """
    content = command.read_file(file, max_bytes=_MAX_BYTES)
    read = _READERS[origin](found.parse(content, where=str(file)), where=str(file))
    for name in chosen:
        if name not in {one.name for one in read}:
            names = [one.name for one in read]
            raise Misuse("unknown-client", f"{file} has no client {name!r}", hint=near_miss(name, names))
    owner = perform(surroundings, place, SHOW, OnePartner(partner=partner)).document
    resources = listed(perform_all(surroundings, place, LIST), "resources")
    known = {one["resource"]: frozenset(one["scopes"]) for one in resources}
    for url in resource:
        if url not in known:
            hint = near_miss(url, known)
            raise Misuse("unknown-resource", f"the resource {url} is not registered", hint=hint)
    taken = found.take([one for one in read if not chosen or one.name in chosen], {url: known[url] for url in resource})
    if not dry_run:
        _write(out, origin, owner, taken)
    return _shown(out / _NAME, taken, dry_run=dry_run)


def _write(out: Path, origin: str, owner: Document, taken: Taken) -> None:
    """Raises Misuse when one of the files is there, or cannot be made."""
    tree = {
        "version": VERSION,
        "partner": [
            {
                "name": owner["name"],
                "email": owner["email"],
                "certificate": "partner.asc",
                "fingerprint": owner["fingerprint"],
                "client": list(taken.clients),
            }
        ],
    }
    heading = f"Out of an export of {origin}: review it, then keyfob-server apply. Each client gets a new client_id."
    try:
        out.mkdir(parents=True, exist_ok=True)
        if taken.keys:
            (out / "keys").mkdir(exist_ok=True)
        for name, keys in taken.keys.items():
            homes.write_new_file(out / name, keys, mode=0o644)
        homes.write_new_file(out / "partner.asc", str(owner["certificate"]).encode(), mode=0o644)
        homes.write_new_file(out / _NAME, declaration_form.write(tree, heading=heading), mode=0o644)
    except OSError as failed:
        raise Misuse("file-place", f"{out} cannot be written: {failed.strerror}", hint="name another") from None


def _shown(target: Path, taken: Taken, *, dry_run: bool) -> Result:
    document: Document = {
        "file": str(target),
        "clients": [one["name"] for one in taken.clients],
        "not_taken_over": [{"client": client, "what": what} for client, what in taken.notes],
        "leaked": [{"client": client, "where": where} for client, where in taken.leaked],
    }
    if dry_run:
        document = {"dry_run": True} | document
        lines = [f"{target} would have {len(taken.clients)} clients; nothing was written"]
    else:
        lines = [f"{target}: {len(taken.clients)} clients; review it, then: keyfob-server apply {target}"]
    lines += [f"  not taken over: {client}: {what}" for client, what in taken.notes]
    lines += [
        f"LEAKED: {client}: the export holds {where} in clear: withdraw it at the old server, and delete the export"
        for client, where in taken.leaked
    ]
    return Result(document, "\n".join(_plain(line) for line in lines))


def _plain(line: str) -> str:
    """The names are the export's: none of them may steer a terminal."""
    return "".join(one if one.isprintable() else "?" for one in line)
