"""What a client may do, as it is said on the command line: once, for `client create` and `registration allow`."""

from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from keyfob.oauth import authorization_details
from keyfob.oauth import scope as scopes
from keyfob.oauth.authorization_details import Details
from keyfob.oauth.errors import OAuthError
from keyfob.oauth.scope import Scope
from keyfob.problem import Misuse
from keyfob.server.commands.surroundings import read_file
from keyfob.server.lifecycle import studies

MAX_TOKEN_LIFETIME = 900
DEFAULT_TOKEN_LIFETIME = 300

_Command = TypeVar("_Command", bound=Callable[..., None])

scope_option = click.option("--scope", required=True, metavar='"A B"', help="All scopes that it may ask for.")
resource_option = click.option(
    "--resource", required=True, multiple=True, metavar="URL", help="An API; repeatable, the first is default."
)
token_lifetime_option = click.option(
    "--token-lifetime",
    type=click.IntRange(1, MAX_TOKEN_LIFETIME),
    default=DEFAULT_TOKEN_LIFETIME,
    show_default=True,
    metavar="SECONDS",
    help=f"How long its tokens live, 1 to {MAX_TOKEN_LIFETIME}.",
)


def study_options(command: _Command) -> _Command:
    """`study`, `all_studies` and `details_file`, for `read_details`."""
    for option in (
        click.option(
            "--authorization-details",
            "details_file",
            type=click.Path(path_type=Path),
            metavar="FILE.json",
            help="Studies, sites, forms and actions in full (RFC 9396).",
        ),
        click.option("--all-studies", is_flag=True, help="Every study, also those to come."),
        click.option(
            "--study", multiple=True, metavar="OID[:SITE,SITE]", help="A study, or some of its sites; repeatable."
        ),
    ):
        command = option(command)
    return command


def read_scope(text: str, option: str) -> Scope:
    """Raises Misuse."""
    try:
        return scopes.parse(text)
    except OAuthError as refused:
        raise Misuse(
            "bad-scope", f"{option}: {refused.description}", hint='for example --scope "a:read b:read"'
        ) from None


def read_details(study: tuple[str, ...], details_file: Path | None, *, every: bool) -> Details:
    """Raises Misuse."""
    if sum((bool(study), every, details_file is not None)) > 1:
        raise Misuse(
            "studies-twice",
            "--study, --all-studies and --authorization-details exclude each other",
            hint="say all of it in one: --authorization-details FILE.json",
        )
    if details_file is None:
        return studies.details(study, every=every)
    try:
        return authorization_details.parse(read_file(details_file).decode())
    except UnicodeDecodeError:
        raise Misuse("bad-details", f"{details_file} is not UTF-8", hint="write it as JSON in UTF-8") from None
    except OAuthError as refused:
        raise Misuse("bad-details", f"{details_file}: {refused.description}", hint="see RFC 9396 section 2") from None
