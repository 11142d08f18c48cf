"""What the benchmarks stand on: a real operator's home with a client of each kind, made by the real commands."""

import base64
import contextlib
import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from measuring import ROOT, children_of, cpu_of

from keyfob.ambient import system_clock, system_entropy
from keyfob.demo.stage import Stage, playing
from keyfob.jose import jws, keys
from keyfob.jose.keys import SigningKey
from keyfob.oauth import client_assertion, client_authentication, client_information, resource_metadata
from keyfob.oauth.client_information import ClientInformation
from keyfob.oauth.resource_metadata import ResourceMetadata
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp import keys as openpgp_keys
from keyfob.openpgp.unseal import PrivateKeyUnsealer
from keyfob.server import installation
from keyfob.server.audit.events import Kind
from keyfob.server.storage.records import Purpose

PORT = 8448
API = "https://localhost:9"
BODY = b"grant_type=client_credentials&scope=a:read"
PLACE = ROOT / ".bench"
"""On the disk of the checkout: a folder for what is temporary may lie in memory, where nothing is ever flushed."""
BOUNDLESS = {
    "KEYFOB_LIMITS_TOKENS_PER_CLIENT_PER_MINUTE": "0",
    "KEYFOB_LIMITS_NEW_CONNECTIONS_PER_NETWORK_PER_SECOND": "100000",
}
PLAIN = {"KEYFOB_HTTP_TRUSTED_PROXY": "127.0.0.1"}
"""Plain HTTP, as behind a proxy on the same machine."""


@dataclass(frozen=True)
class Server:
    process: "subprocess.Popen[str]"
    port: int

    @property
    def pids(self) -> list[int]:
        return [self.process.pid, *children_of(self.process.pid)]

    def cpu(self) -> float:
        return sum(cpu_of(pid) for pid in self.pids)


@dataclass(frozen=True)
class Ground:
    """`home` is the operator's; `client` has a secret, and `keyed` the key `key`."""

    home: Path
    ca: Path
    client: ClientInformation
    keyed: str
    key: SigningKey
    environ: Mapping[str, str] = field(repr=False)

    def headers(self, client_id: str | None = None, secret: str | None = None) -> dict[str, str]:
        """Those of a token request, of the client itself unless another is named."""
        if secret is None:
            assert self.client.client_secret is not None
            secret = self.client.client_secret.reveal()
        return headers(client_id or self.client.client_id, secret)

    def assertions(self, count: int) -> list[str]:
        """As many forms of a token request, each with an assertion that is good once."""
        now = system_clock()
        return [f"{BODY.decode()}&{self._assertion(now)}" for _ in range(count)]

    def _assertion(self, now: int) -> str:
        issuer = f"https://localhost:{PORT}"
        claims = client_assertion.write_claims(self.keyed, audience=issuer, now=now, jti=secrets.token_hex(16))
        signed = jws.sign(claims, self.key, header=self.key.header("JWT"))
        return "&".join(f"{name}={value}" for name, value in client_authentication.write_assertion(signed).items())

    @contextlib.contextmanager
    def serving(self, port: int, *options: str, **variables: str) -> Iterator[Server]:
        """A server on this home, of its own: until the block ends."""
        yield from _serving(self, port, options, variables)


def headers(client_id: str, secret: str) -> dict[str, str]:
    pair = base64.b64encode(f"{client_id}:{secret}".encode()).decode()
    return {"content-type": "application/x-www-form-urlencoded", "authorization": f"Basic {pair}"}


def _serving(ground: Ground, port: int, options: tuple[str, ...], variables: Mapping[str, str]) -> Iterator[Server]:
    with (ground.home.parent / "server.log").open("a") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-c", "from keyfob.server.cli import main; main()", "serve"),
                *("--home", str(ground.home), "--port", str(port), *options),
            ],
            env={**ground.environ, **variables},
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("ready "), log.name
            yield Server(process, port)
        finally:
            process.terminate()
            process.communicate()


@contextlib.contextmanager
def made(*, database: str | None = None, algorithm: str = "ES256", **variables: str) -> Iterator[Ground]:
    """A home, and no server yet."""
    PLACE.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(dir=PLACE) as name, (Path(name) / "t").open("w") as transcript:
        folder = Path(name)
        with playing(folder, transcript, transcript) as stage:
            stage.environment |= {"KEYFOB_KEYS_ALGORITHM": algorithm, **variables}
            found = _furnish(stage, folder, database)
            if algorithm != "ES256":
                _sign_otherwise(found)
            yield found


def _furnish(stage: Stage, folder: Path, database: str | None) -> Ground:
    home = folder / "operator"
    where = () if database is None else ("--database", database)
    stage.run("", "keyfob-server", "init", "--home", "operator", "--issuer", f"https://localhost:{PORT}", *where)
    described = ResourceMetadata(API, (f"https://localhost:{PORT}",), {"a:read": ""}, ("cdms_study",), {"keys": []})
    (folder / "resource.json").write_bytes(resource_metadata.write(described))
    stage.run("", "keyfob-server", "resource", "add", "resource.json", "--home", "operator")
    private_key, certificate = openpgp_keys.generate_partner_key("Bench <b@bench.example>", 86400)
    (folder / "partner.asc").write_bytes(certificate.armored)
    add = ("partner", "add", "Bench", "--certificate", "partner.asc", "--email", "b@bench.example")
    stage.run("", "keyfob-server", *add, "--confirm-fingerprint", certificate.fingerprint, "--home", "operator")
    create = ("client", "create", "--partner", "Bench", "--scope", "a:read", "--resource", API, "--home", "operator")
    stage.run("", "keyfob-server", *create, "--name", "bench", "--out", "m.asc")
    key = keys.generate("ES256")
    (folder / "jwks.json").write_bytes(keys.write_jwks([key.public_jwk()]))
    keyed = ("--name", "keyed", "--auth-method", "private_key_jwt", "--jwks", "jwks.json", "--json")
    told = stage.run("", "keyfob-server", *create, *keyed, quiet=True)
    signer = certificates.read_signer((home / "operator.asc").read_bytes(), now=system_clock())
    plaintext = PrivateKeyUnsealer(private_key).unseal((folder / "m.asc").read_bytes(), signer=signer)
    keyed_id = str(json.loads(told.stdout)["client_id"])
    environ = {**os.environ, **stage.environment, **BOUNDLESS}
    return Ground(home, home / "tls" / "ca.pem", client_information.read(plaintext), keyed_id, key, environ)


def _sign_otherwise(found: Ground) -> None:
    """With a key of the chosen algorithm, from the next second on; a rotation would let a day pass."""
    now = system_clock()
    opened = installation.open(found.home, environ=dict(found.environ), entropy=system_entropy)
    key = opened.new_signing_key(Purpose.ACCESS_TOKENS, not_before=now + 1, now=now, entropy=system_entropy)
    with opened.store.change(now=now, actor="operator:bench") as change:
        change.add_signing_key(key)
        change.record(Kind.SIGNING_KEY_CREATED, kid=key.kid)
    opened.close()


@contextlib.contextmanager
def ground(limits: Mapping[str, str] | None = None) -> Iterator[Ground]:
    """A home with a running server on PORT; `limits`: keys of its `[limits]` that are not as usual."""
    named = {f"KEYFOB_LIMITS_{key.upper()}": value for key, value in (limits or {}).items()}
    with made() as found, found.serving(PORT, **named):
        yield found
