"""A real operator's home, made with the real commands, and a real server on it."""

import base64
import contextlib
import http.client
import json
import shutil
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

import pytest
from joserfc import jwk, jwt

import inside
from keyfob import tls
from keyfob.ambient import system_clock
from keyfob.jose import jws, keys
from keyfob.jose.keys import SigningKey
from keyfob.oauth import client_assertion, client_authentication, client_information, resource_metadata
from keyfob.oauth.client_information import ClientInformation
from keyfob.oauth.resource_metadata import ResourceMetadata
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp.unseal import PrivateKeyUnsealer
from keyfob.secret import Secret
from keyfob.server.cli import cli

RESOURCE = "https://api.example"
OTHER = "https://other.example"
SCOPES = {"studies:read": "Read studies", "subjects:read": "Read subjects", "subjects:write": "Write subjects"}
ENTRY = "from keyfob.server.cli import main; main()"


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> dict[str, object]:
        return json.loads(self.body)


@dataclass
class Operator:
    """An operator at the command line, with a partner whose private key is at hand."""

    home: Path
    port: int
    private_key: Secret
    certificate: Path
    processes: list[subprocess.Popen[str]] = field(default_factory=list)
    resource_key: SigningKey = field(default_factory=keys.generate)

    @property
    def issuer(self) -> str:
        return f"https://localhost:{self.port}"

    def run(self, *arguments: str | Path, status: int = 0) -> dict[str, object]:
        done = inside.run(cli, "keyfob-server", *arguments, "--home", self.home, "--json")
        assert done.returncode == status, done.stdout + done.stderr
        return json.loads(done.stdout)

    def client(self, name: str, *options: str, scope: str = " ".join(SCOPES)) -> ClientInformation:
        out = self.home.parent / f"{name}.asc"
        arguments = ("--partner", "Acme", "--name", name, "--scope", scope, "--resource", RESOURCE, "--out", out)
        self.run("client", "create", *arguments, *options)
        return self.open(out)

    def open(self, message: Path) -> ClientInformation:
        return client_information.read(self.unseal(message))

    def unseal(self, message: Path) -> Secret:
        signer = certificates.read_signer((self.home / "operator.asc").read_bytes())
        return PrivateKeyUnsealer(self.private_key).unseal(message.read_bytes(), signer=signer)

    def allow(self, *options: str | Path, scope: str = " ".join(SCOPES)) -> dict[str, object]:
        """What the partner finds in the message that lets it register."""
        out = self.home.parent / f"allowance-{time.time_ns()}.asc"
        arguments = ("--partner", "Acme", "--scope", scope, "--resource", RESOURCE, "--out", out)
        made = self.run("registration", "allow", *arguments, *options)
        return json.loads(self.unseal(out).reveal()) | {"allowance": made["allowance"]}

    def manage(self, method: str, url: str, token: str | None, document: object = None, **headers: str) -> Answer:
        """A request to a registration endpoint, which stands at `url`."""
        body = b"" if document is None else document if isinstance(document, bytes) else json.dumps(document).encode()
        sent = {"content-type": "application/json"} | {name.replace("_", "-"): said for name, said in headers.items()}
        if token is not None:
            sent["authorization"] = f"Bearer {token}"
        return self.request(method, url.removeprefix(self.issuer), body, sent)

    def register(self, token: str | None, document: object = None, **headers: str) -> Answer:
        return self.manage("POST", f"{self.issuer}/oauth2/register", token, document, **headers)

    def serve(self, *options: str, ready: str | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", ENTRY, "serve", "--home", str(self.home), "--port", str(self.port), *options],
            stdout=subprocess.PIPE,
            stderr=(self.home.parent / "server.log").open("a"),
            text=True,
        )
        self.processes.append(process)
        assert process.stdout is not None
        line = process.stdout.readline().strip()
        assert line == f"ready {ready or self.issuer}", (self.home.parent / "server.log").read_text()
        return process

    @property
    def log(self) -> str:
        return (self.home.parent / "server.log").read_text()

    def connect(self) -> http.client.HTTPSConnection:
        context: ssl.SSLContext = tls.client_context(self.home / "tls" / "ca.pem", environ={})
        return http.client.HTTPSConnection("localhost", self.port, timeout=30, context=context)

    def request(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        connection = self.connect()
        try:
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def token(self, info: ClientInformation, *, post: bool = False, **parameters: str) -> Answer:
        assert info.client_secret is not None
        asked = {"grant_type": "client_credentials", **parameters}
        headers = {"content-type": "application/x-www-form-urlencoded"}
        if post:
            asked |= {"client_id": info.client_id, "client_secret": info.client_secret.reveal()}
        else:
            pair = f"{info.client_id}:{info.client_secret.reveal()}".encode()
            headers["authorization"] = "Basic " + base64.b64encode(pair).decode()
        return self.request("POST", "/oauth2/token", urlencode(asked).encode(), headers)

    def metadata(self) -> dict[str, object]:
        return self.request("GET", "/.well-known/oauth-authorization-server").document

    def post(
        self,
        path: str,
        parameters: dict[str, str],
        *,
        client: ClientInformation | None = None,
        extra: dict[str, str] | None = None,
    ) -> Answer:
        """As `client`, or as the resource, which signs an assertion. `extra`: more headers."""
        headers = {"content-type": "application/x-www-form-urlencoded", **(extra or {})}
        if client is not None:
            assert client.client_secret is not None
            pair = f"{client.client_id}:{client.client_secret.reveal()}".encode()
            headers["authorization"] = "Basic " + base64.b64encode(pair).decode()
        else:
            parameters = {**parameters, **self.assertion()}
        return self.request("POST", path, urlencode(parameters).encode(), headers)

    def form(self, path: str, parameters: dict[str, str], *, extra: dict[str, str] | None = None) -> Answer:
        headers = {"content-type": "application/x-www-form-urlencoded", **(extra or {})}
        return self.request("POST", path, urlencode(parameters).encode(), headers)

    def assertion(self, url: str = RESOURCE, key: SigningKey | None = None, **changes: object) -> dict[str, str]:
        signer = key or self.resource_key
        claims = client_assertion.write_claims(url, audience=self.issuer, now=system_clock(), jti="1") | changes
        signed = jws.sign(claims, signer, header=signer.header("JWT"))
        return client_authentication.write_assertion(signed)

    def introspect(self, token: str, *, client: ClientInformation | None = None) -> dict[str, object]:
        answer = self.post("/oauth2/introspect", {"token": token}, client=client)
        assert answer.status == 200, answer
        return answer.document

    def feed(self, since: int = 0) -> dict[str, object]:
        answer = self.post("/oauth2/revocations", {"since": str(since)})
        assert (answer.status, answer.headers["content-type"]) == (200, "application/revocations+jwt"), answer
        published = jwk.KeySet.import_key_set(self.metadata()["keyfob_revocations_jwks"])
        return jwt.decode(answer.body.decode(), published, ["ES256"]).claims

    def audit(self, count: int = 1000) -> list[dict[str, object]]:
        return self.run("audit", "tail", "--count", str(count))["records"]

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
            process.wait(timeout=30)
            assert process.stdout is not None
            process.stdout.close()
        self.processes.clear()


@pytest.fixture(scope="session")
def acme(tmp_path_factory, partner_key) -> tuple[Secret, Path]:
    private_key, certificate = partner_key
    path = tmp_path_factory.mktemp("partner") / "acme.asc"
    path.write_bytes(certificate.armored)
    return private_key, path


@pytest.fixture(scope="session")
def new_operator(tmp_path_factory, acme, new_database_url) -> Iterator[Callable[[], Operator]]:
    made: list[Operator] = []

    def make(database: str | None = None) -> Operator:
        folder = tmp_path_factory.mktemp("operator")
        import socket

        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        operator = Operator(folder / "home", port, *acme)
        made.append(operator)
        url = database or new_database_url()
        operator.run("init", "--issuer", operator.issuer, *(() if url is None else ("--database", url)))
        for url in (RESOURCE, OTHER):
            registered = {"keys": [operator.resource_key.public_jwk()]}
            described = ResourceMetadata(url, (operator.issuer,), SCOPES, ("cdms_study",), registered)
            path = folder / "resource.json"
            path.write_bytes(resource_metadata.write(described))
            operator.run("resource", "add", path)
        fingerprint = certificates.check(operator.certificate.read_bytes(), now=system_clock()).fingerprint
        partner = ("--certificate", operator.certificate, "--email", "data@acme.example")
        operator.run("partner", "add", "Acme", *partner, "--confirm-fingerprint", fingerprint)
        return operator

    yield make
    for operator in made:
        operator.stop()
        shutil.rmtree(operator.home.parent, ignore_errors=True)


@pytest.fixture(scope="session")
def operator(new_operator) -> Operator:
    """One server for the tests that leave it as it was."""
    operator = new_operator()
    operator.serve()
    return operator


def until(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    """Wait for what another process does by itself; a condition, never a guess of how long it takes."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come to pass"


@pytest.fixture(scope="session", name="until")
def until_fixture() -> Callable[..., None]:
    return until


@contextlib.contextmanager
def load(operator: Operator, info: ClientInformation, *, threads: int = 6) -> Iterator[list[tuple[int, str]]]:
    """Tokens asked for without end, each on a connection of its own: `(status, request id)` of every answer."""
    answers: list[tuple[int, str]] = []
    ending = threading.Event()

    def ask() -> None:
        while not ending.is_set():
            with contextlib.suppress(OSError, http.client.HTTPException):  # the worker was killed under the request
                answer = operator.token(info, scope="studies:read")
                answers.append((answer.status, answer.headers["keyfob-request-id"]))

    running = [threading.Thread(target=ask) for _ in range(threads)]
    for thread in running:
        thread.start()
    try:
        yield answers
    finally:
        ending.set()
        for thread in running:
            thread.join()


@pytest.fixture(scope="session")
def under_load() -> Callable[..., contextlib.AbstractContextManager[list[tuple[int, str]]]]:
    return load
