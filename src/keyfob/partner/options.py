"""The options that several of the partner's commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from keyfob.problem import Misuse

F = TypeVar("F", bound=Callable[..., object])
KEYS = "message|passphrase|file|keyring|aws-kms:ARN|vault:KEY"
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def vault_option(function: F) -> F:
    return click.option(
        "--vault",
        metavar="DIR|URL",
        envvar="KEYFOB_VAULT",
        show_envvar=True,
        callback=_without_password,
        help="The vault: its folder, or sqlite:, postgresql:, aws-secrets:, file:, env:.  [default: the user's folder]",
    )(function)


def _without_password(context: click.Context, parameter: click.Parameter, named: str | None) -> str | None:
    """A command line is seen by others, and kept by the shell: a password in it is refused."""
    typed = context.get_parameter_source(str(parameter.name)) is click.core.ParameterSource.COMMANDLINE
    if typed and named is not None and holds_password(named):
        raise Misuse("password-typed", "the URL of --vault holds a password", hint="KEYFOB_VAULT, or passfile=FILE")
    return named or None


def holds_password(named: str) -> bool:
    """Whether the URL of a database holds one; an ill-formed one is looked at as carefully."""
    if not named.startswith(("postgresql:", "postgres:")):
        return False
    authority = named.partition("//")[2].partition("/")[0]
    return "password=" in named or ":" in authority.rpartition("@")[0]


def ca_option(function: F) -> F:
    return click.option(
        "--ca",
        type=click.Path(dir_okay=False, path_type=Path),
        help="Certificate authorities to trust, PEM.  [default: KEYFOB_CA_FILE, SSL_CERT_FILE, the system's]",
    )(function)


def using_options(function: F) -> F:
    for option in (
        click.option("--client", metavar="ID", help="The client to be, when several fit."),
        click.option("--private-key", type=FILE, help="Open the message with this OpenPGP key, not with gpg."),
        click.option("--key-file", type=FILE, envvar="KEYFOB_KEY_FILE", help="The key of `receive --key file`."),
        vault_option,
        ca_option,
    ):
        function = option(function)
    return function
