"""Who is played, and how: programs that we did not write, each in a few lines of the way its own manual shows."""

import dataclasses
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path

HERE = Path(__file__).parent
BUILT = HERE.parents[1] / ".interop"
APACHE = "/usr/sbin/apache2"
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


@dataclass(frozen=True, slots=True)
class KeyedWay:
    """One way of asking with a key of one's own, and the API that is called with the token.

    `algorithm`: of the assertion (RFC 7523 §2.2), empty for a client with a secret. `bound`: with DPoP (RFC 9449).
    `call`: a path that needs `scope`. `again`: how the server answers the same bytes once more.
    """

    name: str
    algorithm: str = ""
    profile: str = "default"
    bound: bool = False
    scope: str = SCOPE
    call: str = "/studies"
    again: tuple[int, str] = (401, "invalid_client")


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

SIGNED = KeyedWay("private_key_jwt", "ES256")
BOUND = KeyedWay("DPoP", bound=True, again=(400, "invalid_dpop_proof"))
SMART = KeyedWay("SMART", "RS384", "smart", scope="system/Patient.read", call="/Patient")
SMART_ES384 = dataclasses.replace(SMART, name="SMART by ES384", algorithm="ES384")
FAPI = KeyedWay("FAPI 2.0", "PS256", "fapi2", bound=True)


@dataclass(frozen=True, slots=True)
class Program:
    """`verified_by`: the verifier of another make that reads a client's tokens. `name` and `note` are for the page."""

    name: str
    platform: str
    command: tuple[str, ...]
    note: str = ""
    ways: tuple[Way, ...] = ()
    verified_by: str = ""
    keyed_ways: tuple[KeyedWay, ...] = ()


def _python(script: str) -> tuple[str, ...]:
    return (str(BUILT / "venv/bin/python"), str(HERE / "python" / script))


def _node(script: str) -> tuple[str, ...]:
    return ("node", str(HERE / "node" / script))


CLIENTS = (
    Program(
        "Authlib",
        "Python",
        _python("authlib_client.py"),
        "`token_endpoint_auth_method` chooses Basic or body; `resource` is an argument of `fetch_token`.",
        USUAL,
        "jose",
    ),
    Program(
        "requests-oauthlib",
        "Python",
        _python("requests_oauthlib_client.py"),
        "Basic by `auth=HTTPBasicAuth(...)`, the body by `include_client_id=True`; gives the scope as a list.",
        USUAL,
        "go-oidc",
    ),
    Program(
        "requests_oauth2client",
        "Python",
        _python("requests_oauth2client_client.py"),
        "Finds the endpoint by discovery, and fetches the keys at once.",
        USUAL,
        "mod_oauth2",
    ),
    Program(
        "httpx-auth",
        "Python",
        _python("httpx_auth_client.py"),
        "Basic only; fetches a token for the first request that needs it.",
        (BASIC, NO_SCOPE, RESOURCE),
        "jose",
    ),
    Program(
        "openid-client",
        "Node",
        _node("openid_client.mjs"),
        "Form-encodes the `_` in Basic; tells a 401 as `WWWAuthenticateChallengeError`, the code in its `response`.",
        USUAL,
        "PyJWT",
    ),
    Program(
        "oauth4webapi",
        "Node",
        _node("oauth4webapi.mjs"),
        "As openid-client, which stands on it; discovery with `algorithm: 'oauth2'`.",
        USUAL,
        "joserfc",
    ),
    Program(
        "simple-oauth2",
        "Node",
        _node("simple_oauth2.mjs"),
        "`authorizationMethod` chooses; `tokenPath` must be set to `/oauth2/token`.",
        USUAL,
        "go-oidc",
    ),
    Program(
        "x/oauth2",
        "Go",
        (str(BUILT / "go/client"),),
        "Unless `AuthStyle` is set it tries Basic, then the body, which counts once; `resource` by `EndpointParams`.",
        (*USUAL, EITHER),
        "joserfc",
    ),
    Program(
        "oauth2",
        "Ruby",
        ("ruby", str(HERE / "ruby/oauth2_client.rb")),
        "`auth_scheme` chooses; `token_url` must be set to `/oauth2/token`.",
        USUAL,
        "PyJWT",
    ),
    Program(
        "curl",
        "C",
        ("sh", str(HERE / "shell/curl.sh")),
        "`--config -` keeps the secret out of the process list; an offer of HTTP/2 falls back.",
        (*USUAL, HTTP_1_0, ODD_ACCEPT, CHARSET),
        "mod_oauth2",
    ),
)

# Those that know introspection and revocation (RFC 7662, RFC 7009) as well, by Basic and by the body.
AFTERWARDS = (
    Program("Authlib", "Python", _python("authlib_afterwards.py")),
    Program("requests_oauth2client", "Python", _python("requests_oauth2client_afterwards.py")),
    Program("openid-client", "Node", _node("openid_client_afterwards.mjs")),
    Program("oauth4webapi", "Node", _node("oauth4webapi_afterwards.mjs")),
)

# Those that prove a key: by an assertion, by DPoP, or by both. They also call an API with the token.
KEYED = (
    Program(
        "openid-client",
        "Node",
        _node("openid_client_keyed.mjs"),
        "Its audience is the issuer; `modifyAssertion` makes it the token endpoint, for SMART. The proof of a second "
        "request has the nonce that the first answer offered.",
        keyed_ways=(SIGNED, SMART, BOUND, FAPI),
    ),
    Program(
        "oauth4webapi",
        "Node",
        _node("oauth4webapi_keyed.mjs"),
        "As openid-client, which stands on it.",
        keyed_ways=(SIGNED, SMART, BOUND, FAPI),
    ),
    Program(
        "requests_oauth2client",
        "Python",
        _python("requests_oauth2client_keyed.py"),
        "Its audience is the token endpoint; `aud` makes it the issuer, for FAPI 2.0. Takes no nonce that is only "
        "offered, and tells an API's refusal of a proof as `MissingDPoPNonce`.",
        keyed_ways=(SIGNED, SMART, BOUND, FAPI),
    ),
    Program(
        "Authlib",
        "Python",
        _python("authlib_keyed.py"),
        "`PrivateKeyJWT` with `alg` and the `kid`; for SMART also with an `exp` within five minutes. Knows no DPoP.",
        keyed_ways=(SIGNED, SMART_ES384),
    ),
    Program(
        "cumulus-fhir-support",
        "Python",
        _python("cumulus_smart.py"),
        "A FHIR client made for SMART Backend Services. Reads `/.well-known/smart-configuration` below the FHIR "
        "server's URL, where the API has to show the issuer's; its JWK needs `key_ops`, `kid` and `alg`.",
        keyed_ways=(SMART, SMART_ES384),
    ),
)

VERIFIERS = (
    Program(
        "PyJWT",
        "Python",
        _python("pyjwt_verifier.py"),
        "`PyJWKClient` on the `jwks_uri` of the metadata, `algorithms=['ES256']`.",
    ),
    Program("joserfc", "Python", _python("joserfc_verifier.py"), "A `KeySet` of the document at `jwks_uri`."),
    Program("jose", "Node", _node("jose.mjs"), "`createRemoteJWKSet`; also `typ: 'at+jwt'`."),
    Program(
        "go-oidc",
        "Go",
        (str(BUILT / "go/verifier"),),
        "The audience is its `ClientID`; `SupportedSigningAlgs` must name ES256.",
    ),
    Program(
        "mod_oauth2",
        "Apache",
        (APACHE,),
        "The published key by `OAuth2TokenVerify jwk`, since no authority but the system's can be named to it for "
        "`jwks_uri`; issuer and audience by `Require oauth2_claim`.",
    ),
)
VERIFIER = {verifier.name: verifier for verifier in VERIFIERS}
# Two makes, neither of them ours, read each token of a client with a key.
KEYED_VERIFIERS = ("jose", "joserfc")
KEYED_RUNS = tuple((client, way) for client in KEYED for way in client.keyed_ways)
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
        found = found and MOD_OAUTH2.exists() and shutil.which("dpkg-query") is not None
    elif program.name == "curl":
        found = shutil.which("curl") is not None
    return None if found else f"{program.name} ({program.platform}) is not installed"
