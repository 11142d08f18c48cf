"""`keyfob run`: a program with a short-lived token in its environment, and with nothing that opens the vault."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keyfob import ambient
from keyfob.command import progress
from keyfob.envelope import vault_login
from keyfob.partner.options import using_options
from keyfob.problem import Misuse

if TYPE_CHECKING:
    from keyfob.secret import Secret

VARIABLE = "KEYFOB_ACCESS_TOKEN"
_EXPIRES_AT = "_EXPIRES_AT"
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What names the vault, or a file that opens it; and what HashiCorp's Vault or OpenBao would take for it.
_OURS_ALONE = frozenset({"KEYFOB_VAULT", "KEYFOB_KEY_FILE", "KEYFOB_PASSPHRASE_FILE", "KEYFOB_NEW_PASSPHRASE_FILE"})
_FOR_VAULT = frozenset(f"{program}_{name}" for program in ("VAULT", "BAO") for name in vault_login.SECRETS)


@click.command(
    short_help="Run a program with a short-lived token, never the secret.",
    context_settings={"allow_interspersed_args": False},
)
@click.argument("command", metavar="-- CMD [ARGUMENT]...", nargs=-1, required=True, type=click.UNPROCESSED)
@click.option("--scope", required=True, help="The scope to ask for, several in one string with spaces.")
@click.option("--resource", metavar="URL", help="The API that the token is for.  [default: the client's first]")
@click.option("--env", "variable", default=VARIABLE, show_default=True, help="The variable that holds the token.")
@using_options
def run(
    *, command: tuple[str, ...], scope: str, resource: str | None, variable: str, client: str | None,
    private_key: Path | None, key_file: Path | None, vault: str | None, ca: Path | None,
) -> None:  # fmt: skip
    """Run CMD with an access token in its environment; its exit code is keyfob's.

    The token is for minutes and is not renewed: VARIABLE_EXPIRES_AT says its end, in seconds since 1970. What opens the
    vault is taken out of CMD's environment.

    \b
    Example:
      keyfob run --scope "studies:read" -- ./export.sh
    """
    from keyfob.oauth import scope as scopes
    from keyfob.oauth.errors import InvalidScope
    from keyfob.partner.opening import open_binding

    if not _NAME.fullmatch(variable):
        raise Misuse("bad-variable", "--env: that is no name of a variable", hint=f"for example --env {VARIABLE}")
    program = shutil.which(command[0])
    if program is None:
        raise Misuse("no-such-program", f"there is no program {command[0]}", hint="keyfob run ... -- CMD [ARGUMENT]...")
    try:
        wanted = scopes.parse(scope)
    except InvalidScope as refused:
        raise Misuse("bad-scope", f"--scope: {refused.description}", hint='for example --scope "a:read"') from None
    binding = open_binding(client, vault, url=resource, private_key=private_key, key_file=key_file, ca=ca)
    with progress("getting a token"):
        held = binding.authorizer.token("GET", binding.authorizer.resource, wanted)
    assert held is not None
    expires_at = ambient.system_clock() + int(held.expires_at - ambient.monotonic())
    is_in_vault = binding.entry.keeping == "vault"
    environment = child_environment(
        os.environ,
        held.access_token,
        expires_at=expires_at,
        variable=variable,
        without=_FOR_VAULT if is_in_vault else (),
    )
    sys.stdout.flush()
    if os.name == "posix":
        # In our place: its signals, its terminal and its exit code are its own.
        os.execve(program, command, environment)  # noqa: S606  # no shell: the arguments are as they were typed
    raise click.exceptions.Exit(subprocess.run([program, *command[1:]], env=environment, check=False).returncode)  # noqa: S603


def child_environment(
    environ: Mapping[str, str],
    token: "Secret",
    *,
    expires_at: int,
    variable: str = VARIABLE,
    without: Collection[str] = (),
) -> dict[str, str]:
    """What CMD finds: everything but what opens the vault, and the token with its end (seconds since 1970)."""
    kind, _, variable_of_vault = environ.get("KEYFOB_VAULT", "").partition(":")
    left_out = _OURS_ALONE | set(without) | ({variable_of_vault} if kind == "env" else set())
    kept = {name: value for name, value in environ.items() if name not in left_out}
    return {**kept, variable: token.reveal(), f"{variable}{_EXPIRES_AT}": str(expires_at)}
