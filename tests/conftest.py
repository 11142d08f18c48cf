"""What every test stands on: the one honest closing line, and no silent skip in CI."""

import contextlib
import http.client
import http.server
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl

import pytest
from hypothesis import HealthCheck, settings

from databases import roomy_memory
from keyfob import tls
from keyfob.ambient import system_clock
from keyfob.jose import keys
from keyfob.jose.assertions import verify_assertion
from keyfob.jose.client_keys import ClientKeys
from keyfob.jose.feeds import sign_feed
from keyfob.jose.keys import SigningKey
from keyfob.jose.tokens import sign_access_token
from keyfob.oauth.errors import InvalidClient
from keyfob.oauth.revocation_feed import Feed, Revocation, Subject
from keyfob.openpgp import keys as openpgp_keys
from keyfob.openpgp.certificate import Certificate
from keyfob.secret import Secret
from keyfob.turn import Turn
from kms import cloud, kms_admin, kms_port, secrets_manager  # noqa: F401  # fixtures
from openbao import bao, bao_server  # noqa: F401
from secret_service import keyring_server, os_keyring  # noqa: F401

# A test starts hundreds of programs: where the environment says that no bytecode is kept, each would compile all of
# the source again, which takes as long as what it does.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

# Every commit is flushed, and waits for a disk that others use too. Nothing of it is kept, and what kills a program
# leaves what it has written; so folders of tests lie in memory, where there is room. Who names a folder has it.
if "PYTEST_DEBUG_TEMPROOT" not in os.environ and (memory := roomy_memory()) is not None:
    os.environ["PYTEST_DEBUG_TEMPROOT"] = memory

NO_DATA = "no test data"
Answer = tuple[int, dict[str, str], bytes]

# A busy machine is no defect: what a property costs in time is not what it tests.
settings.register_profile("keyfob", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("keyfob")


LONGEST = (
    "docs/test_documents.py",
    "demo/test_demo.py",
    "flows/test_nodes.py",
    "server/wire/test_kill.py",
    "cdms/test_kill.py",
    "server/lifecycle/test_model.py",
    "server/wire/test_notices.py",
    "server/commands/test_rewraps.py",
    "server/commands/test_crowd.py",
    "hostile/test_no_secret_anywhere.py",
    "serving/test_wire.py",
    "server/wire/test_revocation_seen.py",
    "server/wire/test_kms.py",
    "server/wire/test_admin.py",
)
"""The files that take longest, in that order."""


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With several processes the longest files begin, so that none of them runs alone at the end."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        places = {Path(__file__).parent / file: place for place, file in enumerate(LONGEST)}
        items.sort(key=lambda item: places.get(item.path, len(places)))


def pytest_unconfigure(config: pytest.Config) -> None:
    """End with `N passed, M skipped: reason x count`, so that nobody mistakes a skip for a pass."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    stats = reporter.stats
    reasons = Counter(skip_reason(report) for report in stats.get("skipped", []))
    failed = len(stats.get("failed", [])) + len(stats.get("error", []))
    line = f"{len(stats.get('passed', []))} passed, " + (f"{failed} failed, " if failed else "")
    line += f"{sum(reasons.values())} skipped"
    if reasons:
        line += ": " + ", ".join(f"{reason} x {count}" for reason, count in sorted(reasons.items()))
    reporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI the only skip that counts as success is the absence of the public clinical files."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("KEYFOB_CI") and reporter is not None and exitstatus == 0:
        others = [r for r in reporter.stats.get("skipped", []) if skip_reason(r) != NO_DATA]
        if others:
            reporter.write_line(f"CI: {len(others)} tests were skipped for another reason than {NO_DATA!r}", red=True)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def skip_reason(report: pytest.TestReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")


@dataclass(frozen=True)
class TlsFiles:
    """A throw-away authority and a certificate of its own for localhost."""

    ca: Path
    certificate: Path
    private_key: Path

    def client_context(self) -> ssl.SSLContext:
        return tls.client_context(self.ca, environ={})


def make_tls_files(folder: Path, *names: str) -> TlsFiles:
    folder.mkdir(exist_ok=True)
    tls.create_authority(folder, now=system_clock())
    certificate, private_key = tls.issue_certificate(
        folder, names=names or ("localhost", "127.0.0.1", "::1"), now=system_clock()
    )
    files = TlsFiles(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    files.certificate.write_bytes(certificate)
    files.private_key.write_bytes(private_key.reveal_bytes())
    files.private_key.chmod(0o600)
    return files


@pytest.fixture(scope="session")
def partner_key(tmp_path_factory: pytest.TempPathFactory) -> tuple[Secret, Certificate]:
    """An OpenPGP key as partners have it, RSA 4096 and for a month: made once, also for tests in several processes."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    file = folder / "partner-key.asc"
    with Turn(folder / "partner-key.lock").taken(None):
        if not file.exists():
            private_key, _ = openpgp_keys.generate_partner_key("Acme <data@acme.example>", 31 * 24 * 3600)
            file.touch(mode=0o600)
            file.write_bytes(private_key.reveal_bytes())
    private_key = Secret(file.read_bytes())
    return private_key, openpgp_keys.certificate_of(private_key)


@pytest.fixture
def make_tls() -> Callable[[Path], TlsFiles]:
    return make_tls_files


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    return make_tls_files(tmp_path_factory.mktemp("tls"))


def free_port() -> int:
    """A port that was free a moment ago, and is seldom given out again so soon."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def port() -> int:
    return free_port()


AUDIENCE = "https://api.example"
NOW = 1_000_000


class Issuer:
    """`answers` maps a path to (status, headers, body), or to what makes them of a form; `asked` lists the paths."""

    def __init__(self, port: int, ca: Path) -> None:
        self.url = f"https://localhost:{port}"
        self.ca = ca
        self.key = keys.generate("ES256")
        self.asked: list[str] = []
        self.answers: dict[str, Answer | Callable[[dict[str, str]], Answer]] = {}
        self.feed_key = keys.generate("ES256")
        self.resource_key = keys.generate("ES256")
        self.withdrawn: list[tuple[int, Revocation]] = []
        self.clock: Callable[[], int] | None = None
        self.say({"issuer": self.url, "token_endpoint": f"{self.url}/token", "jwks_uri": f"{self.url}/jwks"})
        self.publish(self.key)

    def client_context(self) -> ssl.SSLContext:
        return tls.client_context(self.ca, environ={})

    def offer_feed(self, clock: Callable[[], int], **changes: object) -> None:
        """As the real server does: only for the resource's key, and only what is new."""
        self.clock = clock
        listed = {"keys": [self.feed_key.public_jwk()]}
        self.say(
            {
                "issuer": self.url,
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/jwks",
                "keyfob_revocations_endpoint": f"{self.url}/revocations",
                "keyfob_revocations_jwks": listed,
            }
        )
        registered = ClientKeys.parse(keys.write_jwks([self.resource_key.public_jwk()]))

        def answer(form: dict[str, str]) -> Answer:
            now = clock()
            try:
                verify_assertion(
                    Secret(form["client_assertion"]),
                    registered,
                    client_id=AUDIENCE,
                    audiences=frozenset({self.url}),
                    now=now,
                    max_lifetime=60,
                )
            except InvalidClient:
                return 401, {}, b"{}"
            since = int(form["since"])
            newest = max((sequence for sequence, _ in self.withdrawn), default=1)
            new = tuple(entry for sequence, entry in self.withdrawn if sequence > since)
            feed = Feed(**{"since": since, "sequence": newest, "issued_at": now, "revocations": new, **changes})
            return 200, {}, sign_feed(feed, self.feed_key, issuer=self.url, audience=AUDIENCE)

        self.answers["/revocations"] = answer

    def withdraw(self, subject: Subject, name: str, *, cutoff: int | None = None) -> None:
        self.withdrawn.append((len(self.withdrawn) + 2, Revocation(subject, name, cutoff, 2**40)))

    def say(self, metadata: object, status: int = 200) -> None:
        self.answers["/.well-known/oauth-authorization-server"] = (status, {}, json.dumps(metadata).encode())

    def publish(self, *published: SigningKey) -> None:
        self.answers["/jwks"] = (200, {}, keys.write_jwks([key.public_jwk() for key in published]))

    def token(self, key: SigningKey | None = None, **changes: object) -> Secret:
        claims = {
            "iss": self.url,
            "sub": "cl_1",
            "client_id": "cl_1",
            "aud": AUDIENCE,
            "iat": NOW,
            "exp": NOW + 300,
            "jti": "j",
            "scope": "studies:read",
        }
        return sign_access_token({**claims, **changes}, key or self.key)


@pytest.fixture
def issuer(tls_files, port) -> Iterator[Issuer]:
    with serving_issuer(tls_files, port) as issuer:
        yield issuer


@pytest.fixture(scope="session")
def session_issuer(tls_files) -> Iterator[Issuer]:
    """One for tests that leave it as it was."""
    with serving_issuer(tls_files, free_port()) as issuer:
        yield issuer


@pytest.fixture(scope="session")
def serving_an_issuer(tls_files) -> Callable[[], contextlib.AbstractContextManager[Issuer]]:
    """Each call is an issuer of its own, for as long as it is entered."""
    return lambda: serving_issuer(tls_files, free_port())


@pytest.fixture(scope="session")
def free_port_of() -> Callable[[], int]:
    return free_port


@contextlib.contextmanager
def serving_issuer(tls_files: TlsFiles, port: int) -> Iterator[Issuer]:
    issuer = Issuer(port, tls_files.ca)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.answer({})

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            self.answer(dict(parse_qsl(body.decode())))

        def answer(self, form: dict[str, str]) -> None:
            issuer.asked.append(self.path)
            said = issuer.answers.get(self.path, (404, {}, b"{}"))
            status, headers, body = said(form) if callable(said) else said
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def date_time_string(self, timestamp: float | None = None) -> str:
            return super().date_time_string(timestamp if issuer.clock is None else issuer.clock())

        def log_message(self, *_: object) -> None: ...

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls_files.certificate, tls_files.private_key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield issuer
    server.shutdown()
    server.server_close()
    thread.join()


KILLS = 100
"""For each of the two servers."""


class Load:
    """Workers that send until the server dies; `acknowledged` is what they saw confirmed, and when enough was seen."""

    def __init__(self, send: Callable[[], object], enough: int) -> None:
        self.acknowledged: list[object] = []
        self._send = send
        self._enough = enough
        self._reached = threading.Event()
        self._refused: AssertionError | None = None
        self._threads = [threading.Thread(target=self._work) for _ in range(4)]

    def until_killed(self, process: "subprocess.Popen[str]") -> None:
        for thread in self._threads:
            thread.start()
        assert self._reached.wait(60)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for thread in self._threads:
            thread.join()
        if self._refused is not None:
            raise self._refused

    def _work(self) -> None:
        try:
            while True:
                self.acknowledged.append(self._send())
                if len(self.acknowledged) >= self._enough:
                    self._reached.set()
        except AssertionError as refused:
            self._refused = refused
            self._reached.set()
        except (OSError, ValueError, http.client.HTTPException):
            # The connection broke: nothing was acknowledged.
            return


@pytest.fixture
def load() -> type[Load]:
    return Load


@pytest.fixture
def moments() -> list[int]:
    """How many acknowledgements come before each kill: the rest of the moment is the machine's own chance."""
    chance = random.Random()
    return [chance.randint(1, 12) for _ in range(KILLS)]
