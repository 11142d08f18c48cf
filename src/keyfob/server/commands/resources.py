"""`keyfob-server resource`: the APIs for which tokens are issued."""

from pathlib import Path

import click

from keyfob.command import Result, shows_result, table
from keyfob.oauth import resource_metadata
from keyfob.oauth.server_metadata import MalformedMetadata
from keyfob.problem import Misuse
from keyfob.server.commands.surroundings import (
    Surroundings,
    actor,
    home_option,
    opened,
    read_file,
    reason_option,
    show_time,
)
from keyfob.server.lifecycle import resources


@click.group()
def resource() -> None:
    """The APIs that tokens are issued for, with their scopes."""


@resource.command()
@click.argument("file", type=click.Path(path_type=Path))
@home_option()
@reason_option()
@click.pass_obj
@shows_result
def add(surroundings: Surroundings, *, file: Path, home: Path) -> Result:
    """Register the API that FILE describes, or bring it up to date. `keyfob-cdms init` writes such a file.

    \b
    Example:
      keyfob-server resource add ./cdms/resource.json --home ./operator
    """
    try:
        metadata = resource_metadata.read(read_file(file))
    except MalformedMetadata as wrong:
        raise Misuse(
            "bad-resource",
            f"{file}: {wrong}",
            hint="give the resource.json that the API's init wrote, or write one: resource, authorization_servers, "
            "scopes_supported",
        ) from None
    now = surroundings.clock()
    with opened(surroundings, home) as installation:
        issuer = installation.settings.issuer
        with installation.store.change(now=now, actor=actor()) as change:
            outcome = resources.register(change, metadata, issuer=issuer, now=now)
    document = {"resource": metadata.resource, "outcome": str(outcome), "scopes": sorted(metadata.scopes)}
    return Result(document, f"{outcome}: {metadata.resource}, {len(metadata.scopes)} scopes")


@resource.command("list")
@home_option()
@click.pass_obj
@shows_result
def list_resources(surroundings: Surroundings, *, home: Path) -> Result:
    """All registered APIs and their scopes.

    \b
    Example:
      keyfob-server resource list --home ./operator
    """
    with opened(surroundings, home) as installation:
        found = installation.store.resources()
    document = {
        "resources": [
            {
                "resource": one.url,
                "scopes": dict(one.scopes),
                "authorization_details_types": list(one.authorization_details_types),
                "added_at": one.added_at,
            }
            for one in found
        ]
    }
    rows = [(one.url, show_time(one.added_at), " ".join(sorted(one.scope))) for one in found]
    return Result(document, table(("RESOURCE", "ADDED", "SCOPES"), rows))
