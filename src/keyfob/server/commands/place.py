"""Where a command is done: at the operator's home, or by a server whose admin API is asked. The rest is the same."""

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TypeVar

import click
from click.core import ParameterSource

from keyfob import command, tls
from keyfob import home as homes
from keyfob.command import Result
from keyfob.jose import keys
from keyfob.jose.keys import SigningKey
from keyfob.problem import Misuse
from keyfob.secret import Secret
from keyfob.server import settings
from keyfob.server.admin import local
from keyfob.server.admin.desk import Document, Ways
from keyfob.server.admin.local import LocalDesk
from keyfob.server.admin.operation import MAX_PAGE, Operation, Page
from keyfob.server.admin.performing import Performed
from keyfob.server.alarms import sinks
from keyfob.server.audit.events import Acting
from keyfob.server.commands.rehearsing import is_rehearsal
from keyfob.server.commands.surroundings import Surroundings, actor, home_option, key_sets, opened, read_file, show_time
from keyfob.server.installation import Installation
from keyfob.server.lifecycle import handoff
from keyfob.server.lifecycle.handoff import Outlet

A = TypeVar("A")


@dataclass(frozen=True, slots=True)
class Place:
    """Where a command is to be done, as it was said: at a home, or by a server."""

    home: Path | None
    server: str | None
    operator_key: Path | None
    ca: Path | None


def operator_key_option() -> Callable[[Callable[..., None]], Callable[..., None]]:
    return click.option(
        "--operator-key",
        type=click.Path(path_type=Path),
        envvar="KEYFOB_OPERATOR_KEY",
        show_envvar=True,
        metavar="FILE.pem",
        help="Your private key, as `operator keygen` made it.",
    )


def place_options() -> Callable[[Callable[..., None]], Callable[..., None]]:
    """`--home`, or `--server` with what it needs; the command takes `place`."""

    def decorate(function: Callable[..., None]) -> Callable[..., None]:
        @home_option(required=False)
        @click.option(
            "--server",
            envvar="KEYFOB_SERVER",
            show_envvar=True,
            metavar="URL",
            help="Instead of a home: the issuer whose admin API does it.",
        )
        @operator_key_option()
        @click.option(
            "--ca", type=click.Path(path_type=Path), metavar="FILE", help="The authority of the server's certificate."
        )
        @functools.wraps(function)
        def command(
            *arguments: Any,
            home: Path | None,
            server: str | None,
            operator_key: Path | None,
            ca: Path | None,
            **options: Any,
        ) -> None:
            function(*arguments, place=_chosen(Place(home, server, operator_key, ca)), **options)

        return command

    return decorate


def _chosen(place: Place) -> Place:
    """What the command line says goes before what the environment says. Raises Misuse."""
    if (place.home is None) == (place.server is None):
        said = [one for one in ("home", "server") if _is_flag(one)]
        if len(said) != 1:
            raise Misuse(
                "home-or-server", "name one of them: --home DIR, or --server URL", hint="or KEYFOB_HOME, KEYFOB_SERVER"
            )
        place = replace(place, server=None) if said == ["home"] else replace(place, home=None)
    return place


def _is_flag(name: str) -> bool:
    return click.get_current_context().get_parameter_source(name) is ParameterSource.COMMANDLINE


class AtDesk(Protocol):
    """Where operations are performed, near or far."""

    def perform(self, operation: Operation[Any], asked: object) -> Performed: ...


@contextlib.contextmanager
def at_desk(surroundings: Surroundings, place: Place, *, outlet: Outlet = handoff.with_answer) -> Iterator[AtDesk]:
    """The desk at the home or at the server, for the block. `outlet`: on the home, where sealed messages go."""
    key = None if place.operator_key is None else _read_key(place.operator_key)
    if place.server is not None:
        if is_rehearsal():
            raise Misuse("dry-run-far", "--dry-run works at the home only", hint="--home DIR instead of --server")
        if key is None:
            raise Misuse("key-missing", "a server is asked with your own key", hint="--operator-key FILE.pem")
        from keyfob.server.admin.remote import RemoteDesk  # an HTTP client, which a home does without

        context = tls.client_context(place.ca, environ=surroundings.environ)
        far = RemoteDesk(
            settings.check_issuer(place.server),
            key,
            context,
            reason=actor().reason,
            clock=surroundings.clock,
            entropy=surroundings.entropy,
        )
        try:
            yield far
        finally:
            far.close()
        return
    assert place.home is not None
    with opened(surroundings, place.home) as installation:
        told = functools.partial(sinks.make, installation, environ=surroundings.environ, clock=surroundings.clock)

        def ways() -> Ways:
            from keyfob.server.notices import channels  # e-mail, which few commands need

            return channels.make(installation, told(), environ=surroundings.environ, clock=surroundings.clock)

        yield LocalDesk(
            installation,
            local.identify(installation, system_user=command.system_user(), key=key, reason=actor().reason),
            clock=surroundings.clock,
            entropy=surroundings.entropy,
            sinks=told,
            ways=ways,
            key_sets=key_sets(surroundings, installation.settings),
            outlet=outlet,
        )


def acting_here(installation: Installation, operator_key: Path | None) -> tuple[Installation, Acting]:
    """For what works on the home alone: the installation as the operator has it, and who that is. Raises Problem."""
    key = None if operator_key is None else _read_key(operator_key)
    who = local.identify(installation, system_user=command.system_user(), key=key, reason=actor().reason)
    return local.acting(installation, who), who.in_audit


def perform(surroundings: Surroundings, place: Place, operation: Operation[A], asked: A) -> Performed:
    """What one operation comes to."""
    with at_desk(surroundings, place) as desk, command.progress(operation.command):
        return desk.perform(operation, asked)


def perform_all(
    surroundings: Surroundings, place: Place, operation: Operation[Page], *, count: int | None = None
) -> Document:
    """The whole of a list that comes in pages, or its first `count`."""
    assert operation.lists is not None
    found: list[object] = []
    cursor: str | None = None
    with at_desk(surroundings, place) as desk, command.progress(operation.command):
        while True:
            limit = MAX_PAGE if count is None else min(MAX_PAGE, count - len(found))
            document = desk.perform(operation, Page(limit=limit, cursor=cursor)).document
            part, after = document[operation.lists], document["next"]
            assert isinstance(part, list)
            found += part
            if not isinstance(after, str) or len(found) == count:
                return {operation.lists: found}
            cursor = after


def shown(performed: Performed, text: Callable[[], str]) -> Result:
    """For the command line: what was done, or that it waits."""
    if not performed.waits:
        return Result(performed.document, text())
    waiting = performed.document["proposal_id"]
    return Result(
        performed.document,
        f"waits for another operator, until {show_time(number(performed.document, 'expires_at'))}:\n"
        f"  keyfob-server approve {waiting}",
    )


def listed(document: Document, name: str) -> list[Any]:
    """The list that stands in a document under `name`; its members are JSON."""
    found = document[name]
    assert isinstance(found, list)
    return found


def number(document: Document, name: str) -> int:
    """The number, such as a date, that stands in a document under `name`."""
    found = document[name]
    assert isinstance(found, int)
    return found


def _read_key(path: Path) -> SigningKey:
    """Raises Misuse or Problem that names the file."""
    content = Secret(read_file(path))
    homes.check_private(path)
    try:
        return keys.load(content)
    except ValueError as wrong:
        raise Misuse(
            "bad-key", f"{path} holds no private key of yours: {wrong}", hint="make one: keyfob-server operator keygen"
        ) from None
