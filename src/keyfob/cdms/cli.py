"""The program `keyfob-cdms`: for the API's operator. Where it gets the clock, randomness and the environment."""

import os
from typing import NoReturn

import click

from keyfob import command
from keyfob.ambient import system_clock, system_entropy
from keyfob.cdms.options import Ground
from keyfob.core_dumps import forbid_core_dumps

_COMMANDS = command.Imported(
    "keyfob.cdms",
    {
        "check-config": ["commands:check_config"],
        "init": ["commands:init"],
        "load": ["commands:load"],
        "site": ["commands:site"],
        "dataset": ["dataset_commands:dataset"],
        "serve": ["serve:serve"],
        "move-store": ["commands:move_store"],
        "audit": ["auditing:audit"],
        "backup": ["keeping:backup"],
        "restore": ["keeping:restore"],
    },
)


@command.version_option()
@click.group(commands=_COMMANDS, context_settings=command.HELP)
@click.pass_context
def cli(context: click.Context) -> None:
    """Run a clinical data API whose partners come with Keyfob's access tokens.

    \b
    Begin with:
      keyfob-cdms init --home ./cdms --issuer https://localhost:8443 --resource https://localhost:9443 \\
        --ca ./operator/tls/ca.pem
      keyfob-cdms load --home ./cdms design.xml
      keyfob-server resource add ./cdms/resource.json --home ./operator
      keyfob-cdms serve --home ./cdms
    """
    context.obj = context.obj or Ground(system_clock, system_entropy, os.environ)


def main() -> NoReturn:
    forbid_core_dumps()
    command.run(cli, "keyfob-cdms")
