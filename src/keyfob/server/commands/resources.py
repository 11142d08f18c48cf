"""`keyfob-server resource`: the APIs for which tokens are issued."""

from pathlib import Path

import click

from keyfob.command import Result, shows_result, table
from keyfob.oauth import resource_metadata
from keyfob.oauth.server_metadata import MalformedMetadata, parse_object
from keyfob.problem import Misuse
from keyfob.server.admin import resources
from keyfob.server.admin.resources import NewResource
from keyfob.server.commands.place import Place, listed, perform, perform_all, place_options, shown
from keyfob.server.commands.surroundings import Surroundings, read_file, reason_option, show_time


@click.group()
def resource() -> None:
    """The APIs that tokens are issued for, with their scopes."""


@resource.command()
@click.argument("file", type=click.Path(path_type=Path))
@place_options()
@reason_option()
@click.pass_obj
@shows_result
def add(surroundings: Surroundings, *, file: Path, place: Place) -> Result:
    """Register the API that FILE describes, or bring it up to date. `keyfob-cdms init` writes such a file.

    \b
    Example:
      keyfob-server resource add ./cdms/resource.json --home ./operator
    """
    content = read_file(file)
    try:
        resource_metadata.read(content)
        asked = NewResource(metadata=parse_object(content))
    except MalformedMetadata as wrong:
        raise Misuse("bad-resource", f"{file}: {wrong}", hint=resources.FORM) from None
    done = perform(surroundings, place, resources.ADD, asked)
    return shown(
        done,
        lambda: (
            f"{done.document['outcome']}: {done.document['resource']}, {len(listed(done.document, 'scopes'))} scopes"
        ),
    )


@resource.command("list")
@place_options()
@click.pass_obj
@shows_result
def list_resources(surroundings: Surroundings, *, place: Place) -> Result:
    """All registered APIs and their scopes.

    \b
    Example:
      keyfob-server resource list --home ./operator
    """
    document = perform_all(surroundings, place, resources.LIST)
    rows = [
        (one["resource"], show_time(one["added_at"]), " ".join(sorted(one["scopes"])))
        for one in listed(document, "resources")
    ]
    return Result(document, table(("RESOURCE", "ADDED", "SCOPES"), rows))
