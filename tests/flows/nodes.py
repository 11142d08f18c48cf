"""Three real nodes on one real PostgreSQL, behind a real HAProxy with the configuration that the documents give."""

import base64
import contextlib
import http.client
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlencode

from keyfob import tls
from keyfob.jose import jws
from keyfob.oauth import client_assertion, client_authentication
from keyfob.oauth.client_information import ClientInformation
from server.wire.conftest import ENTRY, Answer, Operator, until

ROOT = Path(__file__).parents[2]
HAPROXY = shutil.which("haproxy", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
NAMES = ("first", "second", "third")
FORM = {"content-type": "application/x-www-form-urlencoded"}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Node:
    """A home, and the process that serves it; `source` is the version of the program."""

    home: Path
    port: int
    ca: Path
    source: Path = ROOT / "src"
    process: "subprocess.Popen[str] | None" = None

    @property
    def log(self) -> Path:
        return self.home.parent / f"{self.home.name}.log"

    def start(self) -> None:
        environ = os.environ | {"PYTHONPATH": str(self.source), "KEYFOB_LIMITS_TOKENS_PER_CLIENT_PER_MINUTE": "0"}
        self.process = subprocess.Popen(
            [sys.executable, "-c", ENTRY, "serve", "--home", str(self.home), "--port", str(self.port)],
            env=environ,
            stdout=subprocess.PIPE,
            stderr=self.log.open("a"),
            text=True,
        )
        assert self.process.stdout is not None
        assert self.process.stdout.readline().startswith("ready "), self.log.read_text()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is not None:
            self.process.send_signal(how)
            assert self.process.wait(timeout=60) == (0 if how is signal.SIGTERM else -how)
            assert self.process.stdout is not None
            self.process.stdout.close()
            self.process = None

    def request(self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
        """Past the balancer: on this machine we come from its address."""
        context = tls.client_context(self.ca, environ={})
        connection = http.client.HTTPSConnection("localhost", self.port, timeout=30, context=context)
        with contextlib.closing(connection):
            connection.request(method, path, body=body, headers=headers or {})
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())

    def token(self, info: ClientInformation, **headers: str) -> Answer:
        return self.request("POST", "/oauth2/token", basic_body(), basic(info) | headers)

    def assertion(self, asserted: dict[str, str]) -> Answer:
        return self.request("POST", "/oauth2/token", assertion_body(asserted), FORM)

    def kids(self) -> set[str]:
        return {key["kid"] for key in self.request("GET", "/oauth2/jwks").document["keys"]}


def basic(info: ClientInformation, secret: str | None = None) -> dict[str, str]:
    assert info.client_secret is not None
    pair = f"{info.client_id}:{secret or info.client_secret.reveal()}".encode()
    return FORM | {"authorization": "Basic " + base64.b64encode(pair).decode()}


def basic_body() -> bytes:
    return urlencode({"grant_type": "client_credentials", "scope": "studies:read"}).encode()


def assertion_body(asserted: dict[str, str]) -> bytes:
    return urlencode({"grant_type": "client_credentials", "scope": "studies:read", **asserted}).encode()


@dataclass
class Load:
    """What good clients got: request ids of the tokens, and what failed, with its moment."""

    granted: list[str] = field(default_factory=list)
    failed: list[tuple[float, str]] = field(default_factory=list)

    def more(self, count: int = 20) -> None:
        """Returns when as many more tokens were had."""
        wanted = len(self.granted) + count
        # A pause between two looks at the condition.
        until(lambda: time.sleep(0.01) or len(self.granted) >= wanted)


@dataclass
class Signer:
    """A client with a key of its own."""

    client_id: str
    key: object
    issuer: str

    def assertion(self) -> dict[str, str]:
        now, jti = int(time.time()), f"{time.time_ns()} {threading.get_ident()}"
        claims = client_assertion.write_claims(self.client_id, audience=self.issuer, now=now, jti=jti)
        return client_authentication.write_assertion(jws.sign(claims, self.key, header=self.key.header("JWT")))


@dataclass
class Cluster:
    """`granted`: the request ids of all tokens that good clients ever had."""

    operator: Operator
    nodes: dict[str, Node]
    info: ClientInformation
    signer: Signer
    control: Path
    granted: list[str] = field(default_factory=list)

    def states(self) -> dict[str, str]:
        """What the balancer thinks of each node."""
        with socket.socket(socket.AF_UNIX) as asking:
            asking.connect(str(self.control))
            asking.sendall(b"show stat\n")
            told = b"".join(iter(lambda: asking.recv(65536), b"")).decode()
        rows = [line.split(",") for line in told.splitlines() if line.startswith("nodes,")]
        return {row[1]: row[17] for row in rows if row[1] in NAMES}

    def wait_for(self, *names: str) -> None:
        """Until these and no others are up, to the balancer."""
        # A pause between two looks at the condition.
        until(lambda: time.sleep(0.05) or {name for name, said in self.states().items() if said == "UP"} == set(names))

    @contextlib.contextmanager
    def load(self) -> Iterator[Load]:
        """Tokens asked for at the balancer without end, by secret and by key, on connections that stay open."""
        load, ending = Load(), threading.Event()
        by_secret = lambda: (basic_body(), basic(self.info))  # noqa: E731
        by_key = lambda: (assertion_body(self.signer.assertion()), FORM)  # noqa: E731
        ways: list[Callable[[], tuple[bytes, dict[str, str]]]] = [by_secret, by_key, by_secret, by_key]
        threads = [threading.Thread(target=self._ask, args=(way, load, ending)) for way in ways]
        for thread in threads:
            thread.start()
        try:
            load.more(10)
            yield load
            load.more(10)
        finally:
            ending.set()
            for thread in threads:
                thread.join()
            self.granted += load.granted

    def _ask(self, way: Callable[[], tuple[bytes, dict[str, str]]], load: Load, ending: threading.Event) -> None:
        connection = self.operator.connect()
        while not ending.wait(0.1):  # ten a second each, or as fast as it goes
            try:
                body, headers = way()
                connection.request("POST", "/oauth2/token", body=body, headers=headers)
                response = connection.getresponse()
                said = response.read()
                if response.status == 200:
                    load.granted.append(str(response.getheader("Keyfob-Request-Id")))
                else:
                    load.failed.append((time.monotonic(), f"{response.status} {said!r}"))
            except (OSError, http.client.HTTPException) as broken:
                load.failed.append((time.monotonic(), repr(broken)))
                connection.close()
        connection.close()


def join(existing: Path, home: Path, run: Callable[..., dict[str, object]]) -> None:
    """As the page on many nodes says it."""
    asked = run("node", "request", "--home", home)
    message = home.with_name(f"{home.name}.invitation.asc")
    confirmed = ("--certificate", asked["certificate"], "--confirm-fingerprint", asked["fingerprint"])
    invited = run("node", "invite", "--home", existing, *confirmed, "--out", message)
    run("node", "join", "--home", home, "--operator-fingerprint", invited["operator_fingerprint"], message)


@contextlib.contextmanager
def balancing(folder: Path, operator: Operator, nodes: dict[str, Node]) -> Iterator[Path]:
    """HAProxy, as deploy/ has it, with the places of this test; gives the socket that it is asked by."""
    pair = [(operator.home / "tls" / name).read_text() for name in ("server.pem", "server.key")]
    (folder / "issuer.pem").touch(mode=0o600)
    (folder / "issuer.pem").write_text("".join(pair))
    text = (ROOT / "deploy" / "haproxy" / "keyfob.cfg").read_text()
    places = {
        "bind :443": f"bind 127.0.0.1:{operator.port}",
        "/etc/haproxy/issuer.pem": str(folder / "issuer.pem"),
        "/etc/haproxy/nodes-ca.pem": str(operator.home / "tls" / "ca.pem"),
        "issuer.example": "localhost",
        **{f"192.0.2.1{n}:8443": f"127.0.0.1:{nodes[name].port}" for n, name in enumerate(NAMES, start=1)},
        "\nglobal\n": f"\nglobal\n    stats socket {folder}/control\n",
    }
    for usual, here in places.items():
        assert usual in text, usual
        text = text.replace(usual, here)
    (folder / "haproxy.cfg").write_text(text)
    command = [str(HAPROXY), "-f", str(folder / "haproxy.cfg")]
    checked = subprocess.run([*command, "-c"], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stderr
    with (folder / "haproxy.log").open("w") as log:
        process = subprocess.Popen([*command, "-db"], stdout=log, stderr=log)
    try:
        until(lambda: (folder / "control").exists() or process.poll() is not None)
        assert process.poll() is None, (folder / "haproxy.log").read_text()
        yield folder / "control"
    finally:
        process.terminate()
        process.wait()


def new_version(folder: Path) -> Path:
    """The program of a later version: this one, and a step of the schema that only adds."""
    source = folder / "newer"
    shutil.copytree(ROOT / "src" / "keyfob", source / "keyfob", ignore=shutil.ignore_patterns("__pycache__"))
    versions = source / "keyfob" / "server" / "storage" / "migrations" / "versions"
    newest = max(path.name[:4] for path in versions.glob("[0-9]*.py"))
    step = f"{int(newest) + 1:04}"
    (versions / f"{step}_later.py").write_text(
        f"""import sqlalchemy as sa
from alembic import op

revision = "{step}"
down_revision = "{newest}"


def upgrade() -> None:
    op.add_column("client", sa.Column("later", sa.Text(), nullable=True))
    op.add_column("audit_record", sa.Column("later", sa.Text(), nullable=True))
    op.create_table("later", sa.Column("id", sa.Text(), primary_key=True))
"""
    )
    return source


def recorded(operator: Operator) -> list[str]:
    """The request ids of all tokens in the audit."""
    return [str(record["request_id"]) for record in operator.audit(100_000) if record["kind"] == "token_issued"]
