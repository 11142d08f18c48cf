"""What the commands have in common: what they stand on, which home they work on, and how it is opened."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import click

from keyfob.ambient import Clock, Entropy
from keyfob.cdms import installation
from keyfob.cdms.installation import Installation

F = TypeVar("F", bound=Callable[..., object])
PATH = click.Path(path_type=Path)


@dataclass(frozen=True, slots=True)
class Ground:
    """Given by the program at its start, so that a test can give another."""

    clock: Clock
    entropy: Entropy
    environ: Mapping[str, str]


def home_option(function: F) -> F:
    return click.option(
        "--home", type=PATH, envvar="KEYFOB_HOME", show_envvar=True, required=True, metavar="DIR",
        help="The API's data folder.",
    )(function)  # fmt: skip


def open_home(home: Path, ground: Ground) -> Installation:
    for name in installation.unknown_variables(ground.environ):
        click.echo(f"keyfob-cdms: the variable {name} is no setting: ignored", err=True)
    return installation.open(home, environ=ground.environ, entropy=ground.entropy)
