"""What the commands have in common: which home they work on, and how it is opened."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from keyfob.ambient import Entropy
from keyfob.cdms import installation
from keyfob.cdms.installation import Installation

F = TypeVar("F", bound=Callable[..., object])
PATH = click.Path(path_type=Path)


def home_option(function: F) -> F:
    return click.option(
        "--home", type=PATH, envvar="KEYFOB_HOME", show_envvar=True, required=True, metavar="DIR",
        help="The API's data folder.",
    )(function)  # fmt: skip


def open_home(home: Path, *, entropy: Entropy) -> Installation:
    for name in installation.unknown_variables(os.environ):
        click.echo(f"keyfob-cdms: the variable {name} is no setting: ignored", err=True)
    return installation.open(home, environ=os.environ, entropy=entropy)
