"""`keyfob-server key`: the keys that sign access tokens."""

import json
from pathlib import Path

import click

from keyfob.command import Result, shows_result, table
from keyfob.server.commands.surroundings import Surroundings, home_option, opened, show_time


@click.group()
def key() -> None:
    """The keys that sign access tokens."""


@key.command("list")
@home_option()
@click.pass_obj
@shows_result
def list_keys(surroundings: Surroundings, *, home: Path) -> Result:
    """The signing keys, the current one first, as the server publishes them. Private halves are never shown.

    \b
    Example:
      keyfob-server key list --home ./operator
    """
    with opened(surroundings, home) as installation:
        found = installation.store.signing_keys()
    document = {
        "keys": [
            {
                "kid": one.kid,
                "algorithm": one.algorithm,
                "state": one.state.value,
                "not_before": one.not_before,
                "created_at": one.created_at,
                "public_jwk": json.loads(one.public_jwk),
            }
            for one in found
        ]
    }
    rows = [(one.kid, one.algorithm, one.state.value, show_time(one.created_at)) for one in found]
    return Result(document, table(("KEY", "ALGORITHM", "STATE", "CREATED"), rows))
