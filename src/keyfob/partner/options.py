"""The options that several of the partner's commands share."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import click

from keyfob.problem import Misuse

if TYPE_CHECKING:
    from keyfob.partner.vault.entries import Keeping

F = TypeVar("F", bound=Callable[..., object])
FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


def vault_option(function: F) -> F:
    return click.option(
        "--vault",
        type=click.Path(file_okay=False, path_type=Path),
        envvar="KEYFOB_VAULT",
        show_envvar=True,
        help="The vault's folder.  [default: the user's data folder]",
    )(function)


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


def read_keeping(said: str | None) -> "tuple[Keeping | None, str | None]":
    """What `--key` says: the way of keeping, and the key in AWS KMS where it is one. Raises Misuse."""
    from keyfob.partner.vault.entries import Keeping

    if said is None:
        return None, None
    name, _, arn = said.partition(":")
    if name not in set(Keeping) or (name == Keeping.AWS_KMS) != bool(arn):
        raise Misuse("bad-key", "--key names no way of keeping", hint="--key message, passphrase, file or aws-kms:ARN")
    return Keeping(name), said if arn else None
