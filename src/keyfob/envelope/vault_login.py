"""How a process proves itself to HashiCorp Vault or OpenBao. What is named first here is taken first.

    VAULT_TOKEN                                      a token that somebody else renews
    VAULT_ROLE_ID, and VAULT_SECRET_ID_FILE (0600)   AppRole; or VAULT_SECRET_ID, which every child process sees
    VAULT_KUBERNETES_ROLE                            the token of the pod's service account, which Kubernetes renews
    ~/.vault-token                                   as an agent or `vault login` has left it

VAULT_AUTH_MOUNT names another mount than `approle` and `kubernetes`. BAO_... as well. A token that comes of a login is
for one use, and ended after it: none is kept, and none piles up there.
"""

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from keyfob import home
from keyfob.problem import KeyProblem, Misuse
from keyfob.secret import Secret

SECRETS = ("TOKEN", "SECRET_ID", "SECRET_ID_FILE")
"""What proves something, of the variables above, without VAULT_ or BAO_ before it."""

_SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount/token")
_MAX_BYTES = 64 * 1024
_MOUNT = re.compile(r"[A-Za-z0-9_-]{1,60}(/[A-Za-z0-9_-]{1,60}){0,3}")


class LoginRefused(KeyProblem):
    """Vault does not let this process in. The text says by which way, and never what was shown to it."""


@dataclass(frozen=True, slots=True)
class Login:
    """A way in: `enter` takes hvac's client, and gives it a token that is `ours` to end."""

    way: str
    enter: Callable[[Any], None]
    ours: bool


def choose(environ: Mapping[str, str]) -> Login:
    """The way that the environment names. What it proves itself by is read when it is used. Raises Misuse."""
    token, role_id, role = (first(environ, name) for name in ("TOKEN", "ROLE_ID", "KUBERNETES_ROLE"))
    if token:
        return _by_token(Secret(token))
    if role_id and role:
        hint = "unset VAULT_ROLE_ID or VAULT_KUBERNETES_ROLE"
        raise Misuse("two-vault-logins", "it is not clear how to log in to Vault", hint=hint)
    if role_id:
        return _by_role(environ, role_id)
    if role:
        return _by_service_account(environ, role)
    return _by_token(_left_by_an_agent(environ))


@contextlib.contextmanager
def entered(client: Any, login: Login, refusals: tuple[type[Exception], ...]) -> Iterator[None]:
    """hvac's `client` with a token, until the block ends. `refusals`: what hvac then raises. Raises LoginRefused."""
    try:
        login.enter(client)
    except refusals as refused:
        said = f"Vault does not let this process in by {login.way} ({type(refused).__name__})"
        raise LoginRefused("vault-login", said, hint=_HINTS[login.way]) from None
    try:
        yield
    finally:
        if login.ours:
            # Where a policy does not let it, or Vault is away, it ends when its time is over.
            with contextlib.suppress(Exception):
                client.auth.token.revoke_self()


def first(environ: Mapping[str, str], name: str) -> str | None:
    """Vault's variable, else OpenBao's."""
    return environ.get(f"VAULT_{name}") or environ.get(f"BAO_{name}") or None


def _by_token(token: Secret) -> Login:
    def enter(client: Any) -> None:
        client.token = token.reveal()

    return Login("token", enter, ours=False)


def _by_role(environ: Mapping[str, str], role_id: str) -> Login:
    mount = _mount(environ, "approle")

    def enter(client: Any) -> None:
        secret_id = _secret_id(environ)
        client.auth.approle.login(role_id, secret_id.reveal(), mount_point=mount)

    return Login("AppRole", enter, ours=True)


def _by_service_account(environ: Mapping[str, str], role: str) -> Login:
    mount = _mount(environ, "kubernetes")
    file = Path(first(environ, "KUBERNETES_TOKEN_FILE") or _SERVICE_ACCOUNT)

    def enter(client: Any) -> None:
        # Read at each use: Kubernetes puts another in its place every hour.
        client.auth.kubernetes.login(role, _read(file, "service account's token").reveal(), mount_point=mount)

    return Login("Kubernetes", enter, ours=True)


def _secret_id(environ: Mapping[str, str]) -> Secret:
    named, given = first(environ, "SECRET_ID_FILE"), first(environ, "SECRET_ID")
    if named:
        found = _read(Path(named), "secret id")
        home.check_private(Path(named))
        return found
    if given:
        return Secret(given)
    raise Misuse("no-secret-id", "there is no secret id for VAULT_ROLE_ID", hint="set VAULT_SECRET_ID_FILE")


def _left_by_an_agent(environ: Mapping[str, str]) -> Secret:
    file = Path(environ.get("HOME") or Path.home()) / ".vault-token"
    try:
        return _read(file, "token")
    except Misuse:
        raise Misuse(
            "no-vault-token",
            "there is no token for Vault",
            hint=f"set VAULT_TOKEN, VAULT_ROLE_ID or VAULT_KUBERNETES_ROLE, or let an agent write {file}",
        ) from None


def _read(file: Path, what: str) -> Secret:
    try:
        with file.open("rb") as opened:
            return Secret(opened.read(_MAX_BYTES).strip())
    except OSError as failed:
        said = f"the {what} for Vault cannot be read: {failed.strerror} ({file})"
        raise Misuse("vault-login-file", said, hint="name the right file, and let this user read it") from None


def _mount(environ: Mapping[str, str], usual: str) -> str:
    named = first(environ, "AUTH_MOUNT") or usual
    if not _MOUNT.fullmatch(named):
        raise Misuse("bad-auth-mount", "VAULT_AUTH_MOUNT names no mount", hint=f"for example {usual}")
    return named


_HINTS = {
    "token": "renew VAULT_TOKEN",
    "AppRole": "are role id and secret id right, and not used up or expired? ask who administers Vault",
    "Kubernetes": "is the role bound to this service account and its namespace? ask who administers Vault",
}
