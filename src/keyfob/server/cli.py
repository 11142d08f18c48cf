"""The program `keyfob-server`: for the operator. Where its commands get the clock, randomness and the environment."""

import os
from typing import NoReturn

import click

from keyfob import command
from keyfob.ambient import system_clock, system_entropy
from keyfob.server.commands import client_changes, endings, partner_webhooks, rewraps  # noqa: F401  # add to `client`, `partner` and `key`
from keyfob.server.commands.alarms import alarm
from keyfob.server.commands.announcements import announcement
from keyfob.server.commands.audits import audit
from keyfob.server.commands.backups import backup
from keyfob.server.commands.clients import client
from keyfob.server.commands.configurations import check_config
from keyfob.server.commands.declarations import apply, export
from keyfob.server.commands.explain import explain
from keyfob.server.commands.importing import import_clients
from keyfob.server.commands.initialise import init
from keyfob.server.commands.keys import key
from keyfob.server.commands.moves import move_store
from keyfob.server.commands.notices import notice
from keyfob.server.commands.operators import approve, list_proposals, operator, reject
from keyfob.server.commands.partners import partner
from keyfob.server.commands.registrations import registration
from keyfob.server.commands.resources import resource
from keyfob.server.commands.status import status
from keyfob.server.commands.surroundings import Surroundings
from keyfob.server.serve import serve


@command.version_option()
@click.group(context_settings=command.HELP)
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


for _command in (
    init,
    serve,
    status,
    check_config,
    resource,
    partner,
    client,
    registration,
    announcement,
    apply,
    export,
    import_clients,
    key,
    backup,
    audit,
    explain,
    alarm,
    notice,
    move_store,
):
    cli.add_command(_command)
for _command in (operator, list_proposals, approve, reject):
    cli.add_command(_command)


def main() -> NoReturn:
    command.run(cli, "keyfob-server")
