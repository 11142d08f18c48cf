"""The program `keyfob-server`: for the operator. Where its commands get the clock, randomness and the environment."""

import os
from typing import NoReturn

import click

from keyfob import command
from keyfob.ambient import system_clock, system_entropy
from keyfob.core_dumps import forbid_core_dumps
from keyfob.server.commands.surroundings import Surroundings

_COMMANDS = command.Imported(
    "keyfob.server",
    {
        "init": ["commands.initialise:init"],
        "serve": ["serve:serve"],
        "status": ["commands.status:status"],
        "check-config": ["commands.configurations:check_config"],
        "resource": ["commands.resources:resource"],
        "partner": ["commands.partners:partner", "commands.partner_webhooks", "commands.endings"],
        "client": ["commands.clients:client", "commands.client_changes", "commands.endings", "commands.usages"],
        "registration": ["commands.registrations:registration"],
        "announcement": ["commands.announcements:announcement"],
        "apply": ["commands.declarations:apply"],
        "export": ["commands.declarations:export"],
        "import": ["commands.importing:import_clients"],
        "key": ["commands.keys:key", "commands.rewraps"],
        "backup": ["commands.backups:backup"],
        "audit": ["commands.audits:audit"],
        "explain": ["commands.explain:explain"],
        "alarm": ["commands.alarms:alarm"],
        "notice": ["commands.notices:notice"],
        "move-store": ["commands.moves:move_store"],
        "node": ["commands.nodes:node"],
        "operator": ["commands.operators:operator"],
        "proposals": ["commands.operators:list_proposals"],
        "approve": ["commands.operators:approve"],
        "reject": ["commands.operators:reject"],
    },
)


@command.version_option()
@click.group(commands=_COMMANDS, context_settings=command.HELP)
@click.pass_context
def cli(context: click.Context) -> None:
    """Let partner organisations into your API: issue, seal, rotate and revoke their credentials.

    \b
    Begin with:
      keyfob-server init --home ./operator --issuer https://localhost:8443
      keyfob-server resource add resource.json --home ./operator
      keyfob-server partner add NAME --home ./operator --certificate partner.asc --email ADDRESS
      keyfob-server client create --home ./operator --partner NAME --name NAME --scope "..." --resource URL
      keyfob-server serve --home ./operator
    """
    context.obj = context.obj or Surroundings(system_clock, system_entropy, os.environ)


def main() -> NoReturn:
    forbid_core_dumps()
    command.run(cli, "keyfob-server")
