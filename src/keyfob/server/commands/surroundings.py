"""What every command stands on: the clock, randomness, the environment, the home, and files that were named."""

import contextlib
import functools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import click

from keyfob import client_secret, command, tls
from keyfob import home as homes
from keyfob.ambient import Clock, Entropy
from keyfob.home import HomeKind
from keyfob.problem import Misuse
from keyfob.server import installation, settings
from keyfob.server.audit.events import Actor
from keyfob.server.commands.rehearsing import is_rehearsal, rehearsable
from keyfob.server.fetching import Fetcher
from keyfob.server.installation import Installation
from keyfob.server.key_sets import KeySets
from keyfob.server.scanner import Scanner
from keyfob.server.settings import Settings

_MAX_FILE_BYTES = 1024 * 1024
_MAX_REASON = 500
_REASON = "keyfob.reason"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Given by the program at its start, so that a test can give others."""

    clock: Clock
    entropy: Entropy
    environ: Mapping[str, str]


def key_sets(surroundings: Surroundings, settings: Settings) -> KeySets:
    """What fetches the keys that clients publish, as the settings say."""
    trust = functools.partial(tls.client_context, settings.jwks_uri_ca, environ=surroundings.environ)
    return KeySets(trust, inner=settings.jwks_uri_networks, clock=surroundings.clock)


def scanner(surroundings: Surroundings, settings: Settings) -> Scanner | None:
    """The secret scanner whose reports are known by their signature, if the settings name one."""
    chosen = settings.scanner
    if chosen is None:
        return None
    trust = functools.partial(tls.client_context, chosen.ca, environ=surroundings.environ)
    return Scanner(Fetcher(trust, inner=settings.jwks_uri_networks), chosen.keys, clock=surroundings.clock)


def home_option(*, required: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(
        "--home",
        type=click.Path(path_type=Path),
        envvar="KEYFOB_HOME",
        show_envvar=True,
        required=required,
        metavar="DIR",
        help="The operator's data folder.",
    )


def reason_option(*, dry_run: bool = True) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """For each command that is recorded in the audit: `actor` finds there what was said.

    `dry_run`: the command can be rehearsed as it is; False where it shows beforehand in words of its own.
    """
    option = click.option(
        "--reason",
        metavar="TEXT",
        expose_value=False,
        callback=_keep_reason,
        help="Why: it stands in the audit, for ever.",
    )
    return lambda function: option(rehearsable(function) if dry_run else function)


def _keep_reason(context: click.Context, _parameter: click.Parameter, typed: str | None) -> None:
    if typed is None:
        return
    if re.search(client_secret.PATTERN, typed):
        raise Misuse(
            "secret-in-reason",
            "--reason holds a client secret",
            hint="it was on a command line: rotate and withdraw it",
        )
    if not 0 < len(typed) <= _MAX_REASON or not typed.isprintable() or typed != typed.strip():
        raise Misuse(
            "bad-reason", "--reason is empty, too long or cannot be shown", hint=f"1 to {_MAX_REASON} characters"
        )
    context.meta[_REASON] = typed


def file_argument_type() -> click.Path:
    return click.Path(path_type=Path)


@contextlib.contextmanager
def opened(surroundings: Surroundings, home: Path) -> Iterator[Installation]:
    """The installation at `home`, closed at the end of the block."""
    for name in settings.unknown_variables(surroundings.environ):
        click.echo(f"keyfob-server: the variable {name} is no setting: ignored", err=True)
    with homes.in_use(homes.check(home, HomeKind.SERVER).path):
        with command.progress("opening the home"):  # its database may have to be brought up to date, or be far away
            found = installation.open(home, environ=surroundings.environ, entropy=surroundings.entropy)
        try:
            yield found.rehearsing() if is_rehearsal() else found
        finally:
            found.close()


def actor() -> Actor:
    """Who is written into the audit for what is done at the command line, and why, if --reason says so."""
    context = click.get_current_context(silent=True)
    return Actor(f"operator:{command.system_user()}", None if context is None else context.meta.get(_REASON))


def read_file(path: Path) -> bytes:
    """A file that was named on the command line. Raises Misuse."""
    return command.read_file(path, max_bytes=_MAX_FILE_BYTES)


def show_time(at: int | None) -> str:
    """A date for a person: UTC, to the second; "-" for one that has not come."""
    return "-" if at is None else datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
