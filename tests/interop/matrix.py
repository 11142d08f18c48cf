"""Who is played, and how: programs that we did not write, each in a few lines of the way its own manual shows."""

import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
BUILT = HERE.parents[1] / ".interop"
MOD_OAUTH2 = Path("/usr/lib/apache2/modules/mod_oauth2.so")
AUDIENCE = "https://api.example"
OTHER = "https://other.example"
SCOPE = "studies:read subjects:read"
DEFAULT_SCOPE = "studies:read"


@dataclass(frozen=True, slots=True)
class Way:
    """One way of asking. Without a scope or a resource the client's defaults hold (RFC 6749 §3.3, RFC 8707 §2)."""

    name: str
    method: str = "basic"
    scope: str = SCOPE
    resource: str = ""
    arguments: tuple[str, ...] = ()

    @property
    def audience(self) -> str:
        return self.resource or AUDIENCE


BASIC = Way("Basic")
BODY = Way("body", method="post")
NO_SCOPE = Way("no scope", scope="")
RESOURCE = Way("resource named", resource=OTHER)
USUAL = (BASIC, BODY, NO_SCOPE, RESOURCE)
EITHER = Way("Basic, then body", method="both")
HTTP_1_0 = Way("HTTP/1.0", arguments=("--http1.0",))
ODD_ACCEPT = Way("odd Accept", arguments=("--header", "Accept: application/x-unheard-of;q=0.1"))
CHARSET = Way(
    "charset, extra header",
    arguments=(
        *("--header", "Content-Type: application/x-www-form-urlencoded; charset=UTF-8"),
        *("--header", "X-Extra: 1", "--data", "extra=1"),
    ),
)


@dataclass(frozen=True, slots=True)
class Program:
    """`name` in its own spelling; `verified_by`: for a client, the verifier of another make that reads its tokens."""

    name: str
    platform: str
    command: tuple[str, ...]
    ways: tuple[Way, ...] = ()
    verified_by: str = ""


def _python(script: str) -> tuple[str, ...]:
    return (str(BUILT / "venv/bin/python"), str(HERE / "python" / script))


def _node(script: str) -> tuple[str, ...]:
    return ("node", str(HERE / "node" / script))


CLIENTS = (
    Program("Authlib", "Python", _python("authlib_client.py"), USUAL, "jose"),
    Program("requests-oauthlib", "Python", _python("requests_oauthlib_client.py"), USUAL, "go-oidc"),
    Program("requests_oauth2client", "Python", _python("requests_oauth2client_client.py"), USUAL, "mod_oauth2"),
    Program("httpx-auth", "Python", _python("httpx_auth_client.py"), (BASIC, NO_SCOPE, RESOURCE), "jose"),
    Program("openid-client", "Node", _node("openid_client.mjs"), USUAL, "PyJWT"),
    Program("oauth4webapi", "Node", _node("oauth4webapi.mjs"), USUAL, "joserfc"),
    Program("simple-oauth2", "Node", _node("simple_oauth2.mjs"), USUAL, "go-oidc"),
    Program("x/oauth2", "Go", (str(BUILT / "go/client"),), (*USUAL, EITHER), "joserfc"),
    Program("oauth2", "Ruby", ("ruby", str(HERE / "ruby/oauth2_client.rb")), USUAL, "PyJWT"),
    Program(
        "curl", "C", ("sh", str(HERE / "shell/curl.sh")), (*USUAL, HTTP_1_0, ODD_ACCEPT, CHARSET), "mod_oauth2"
    ),
)

VERIFIERS = (
    Program("PyJWT", "Python", _python("pyjwt_verifier.py")),
    Program("joserfc", "Python", _python("joserfc_verifier.py")),
    Program("jose", "Node", _node("jose.mjs")),
    Program("go-oidc", "Go", (str(BUILT / "go/verifier"),)),
    Program("mod_oauth2", "Apache", ("apache2",)),
)
VERIFIER = {verifier.name: verifier for verifier in VERIFIERS}
RUNS = tuple((client, way) for client in CLIENTS for way in client.ways)


@cache
def missing(program: Program) -> str | None:
    """What would have to be installed before `program` can run, or None."""
    runtime = program.command[0]
    found = shutil.which(runtime) is not None
    if program.platform == "Node":
        found = found and (HERE / "node/node_modules/.package-lock.json").exists()
    elif program.platform == "Ruby":
        found = found and subprocess.run([runtime, "-e", "require 'oauth2'"], capture_output=True).returncode == 0
    elif program.platform == "Apache":
        found = found and MOD_OAUTH2.exists()
    return None if found else f"{program.name} ({program.platform}) is not installed"
