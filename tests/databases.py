"""On which database a test runs: SQLite, or a real PostgreSQL over verified TLS that is started here.

The storage tests run on both, the others on SQLite; `KEYFOB_TEST_DATABASE=postgresql` runs all on PostgreSQL. A test
marked `on("sqlite")` or `on("sqlite", "postgresql")` says itself.
"""

import contextlib
import ctypes
import itertools
import os
import pwd
import re
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from keyfob import database
from keyfob.database import Database
from keyfob.postgresql import Place, open_postgresql

BOTH = ("sqlite", "postgresql")
USUAL = os.environ.get("KEYFOB_TEST_DATABASE", "sqlite")
ON_BOTH = ("test_token", "test_revocations")
"""Of the tests on the wire, what is repeated on PostgreSQL: tokens, and the order of the feed."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database_kind" not in metafunc.fixturenames:
        return
    marker = metafunc.definition.get_closest_marker("on")
    name = Path(str(metafunc.module.__file__)).stem
    is_storage = Path(str(metafunc.module.__file__)).parent.name == "storage"
    kinds: tuple[str, ...] = (USUAL,)
    if marker is not None:
        kinds = marker.args
    elif USUAL == "sqlite" and (is_storage or name in ON_BOTH):
        kinds = BOTH
    metafunc.parametrize("database_kind", kinds, indirect=True, scope="session")


@pytest.fixture(scope="session")
def database_kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def new_database_url(database_kind: str, request: pytest.FixtureRequest) -> Callable[..., str | None]:
    """A new and empty database for `--database`, or a copy of the named one; None leaves it to the home, as SQLite."""
    if database_kind == "sqlite":
        return lambda template="template0": None
    return request.getfixturevalue("postgresql").new_url


@pytest.fixture
def new_place(database_kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., Path | str]:
    """Where a database may be made: a file that is not there, or an empty one's URL; there a copy of `template`."""
    numbers = itertools.count(1)

    def new(template: str = "template0") -> Path | str:
        if database_kind == "sqlite":
            return tmp_path / f"keyfob-{next(numbers)}.db"
        return str(request.getfixturevalue("postgresql").new_url(template))

    return new


def open_database(where: Path | str) -> Database:
    """A file, or the URL of a PostgreSQL database."""
    if str(where).startswith("postgresql://"):
        return open_postgresql(Place.parse(str(where)), environ={})
    return database.open_sqlite(Path(where))


def find_programs() -> Path | None:
    """The folder of PostgreSQL's programs: what the distribution installs, newest first, else what is on the path."""
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = str(installed[-1]) if installed else shutil.which("initdb")
    return None if found is None else Path(found).resolve().parent


def programs() -> Path:
    found = find_programs()
    if found is None:
        pytest.skip("no PostgreSQL here")
    return found


class Postgresql:
    """A cluster in a folder of its own, with a certificate of the tests' authority and a user with a password."""

    def __init__(
        self, folder: Path, certificate: Path, private_key: Path, ca: Path, *, is_durable: bool = False
    ) -> None:
        self._folder = folder
        self._is_durable = is_durable
        self.programs = programs()
        self._numbers = itertools.count(1)
        self._process: subprocess.Popen[bytes] | None = None
        # PostgreSQL refuses to run as root.
        self._as: dict[str, object] = {"cwd": "/"}
        if os.geteuid() == 0:
            known = {user.pw_name: user for user in pwd.getpwall()}
            user = known.get("postgres") or known["nobody"]
            self._as |= {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": []}
            os.chown(folder, user.pw_uid, user.pw_gid)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self.password = secrets.token_hex(16)
        self.ca = ca
        self.pass_file = ca.parent / "passfile"
        self.pass_file.write_text(f"localhost:*:*:keyfob:{self.password}\n")
        self.pass_file.chmod(0o600)
        self._make(certificate, private_key)

    def _make(self, certificate: Path, private_key: Path) -> None:
        data = self._folder / "data"
        options = ("-A", "trust", "-U", "admin", "-E", "UTF8", "--locale=C", "--no-sync")
        self._run(self.programs / "initdb", "-D", data, *options)
        for name, source in (("server.pem", certificate), ("server.key", private_key)):
            # Written by its user: the key must belong to who runs the server.
            target = data / name
            self._run("sh", "-c", f"umask 077; cat > '{target}'", content=source.read_bytes())
        rules = (
            "local all admin trust\nhostssl all all 127.0.0.1/32 scram-sha-256\nhostssl all all ::1/128 scram-sha-256\n"
        )
        self._run("sh", "-c", f"cat > '{data}/pg_hba.conf'", content=rules.encode())
        self.start()
        self.sql(f"CREATE ROLE keyfob LOGIN PASSWORD '{self.password}'")

    def _run(self, *command: str | Path, content: bytes = b"") -> None:
        subprocess.run(command, input=content, check=True, capture_output=True, **self._as)  # type: ignore[call-overload]

    def start(self) -> None:
        data = self._folder / "data"
        settings = {
            "port": self.port,
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": self._folder,
            "ssl": "on",
            "ssl_cert_file": "server.pem",
            "ssl_key_file": "server.key",
            "max_connections": 200,
            "fsync": "on" if self._is_durable else "off",  # no test cuts the power
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(  # type: ignore[call-overload]
                [self.programs / "postgres", "-D", data, *options],
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_the_tests if sys.platform == "linux" else None,
                **self._as,
            )
        deadline = time.monotonic() + 60
        while not self._answers():
            assert time.monotonic() < deadline, (self._folder / "log").read_text()

    def _answers(self) -> bool:
        command = (self.programs / "pg_isready", "-q", "-h", self._folder, "-p", str(self.port), "-t", "5")
        return subprocess.run(command, check=False).returncode == 0

    def stop(self, how: signal.Signals = signal.SIGQUIT) -> None:
        """As in a crash (SIGQUIT), or in order, but without waiting for anybody (SIGINT)."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def sql(self, statement: str, database: str = "postgres") -> str:
        """As the cluster's administrator."""
        command = ("-qAtX", "-v", "ON_ERROR_STOP=1", "-h", str(self._folder), "-p", str(self.port), "-U", "admin")
        done = subprocess.run(
            [self.programs / "psql", *command, database], input=statement, text=True, check=True, capture_output=True
        )
        return done.stdout

    def dump(self, database: str) -> str:
        command = ("-h", str(self._folder), "-p", str(self.port), "-U", "admin", "--inserts", "--no-owner")
        return subprocess.run(
            [self.programs / "pg_dump", *command, database], text=True, check=True, capture_output=True
        ).stdout

    def new_url(self, template: str = "template0") -> str:
        name = f"t{next(self._numbers)}"
        self.sql(f"CREATE DATABASE {name} OWNER keyfob TEMPLATE {template}")
        return self.url(name)

    def url(self, name: str, **changed: str) -> str:
        parameters = {"sslmode": "verify-full", "sslrootcert": str(self.ca), "passfile": str(self.pass_file)} | changed
        return f"postgresql://keyfob@localhost:{self.port}/{name}?" + "&".join(
            f"{key}={value}" for key, value in parameters.items()
        )


def _end_with_the_tests() -> None:
    """Also when they are killed: PR_SET_PDEATHSIG."""
    ctypes.CDLL(None).prctl(1, signal.SIGQUIT)


def _clear_away(memory: Path) -> None:
    """What tests left there that were killed: else run after run would fill the memory."""
    for left in memory.glob("keyfob-pg-*/*/postmaster.pid"):
        with contextlib.suppress(OSError, ValueError):
            if not Path("/proc", str(int(left.read_text().split("\n", 1)[0]))).exists():
                shutil.rmtree(left.parents[1], ignore_errors=True)


def roomy_memory() -> str | None:
    """A database for each test is much to write on a busy disk, and nothing of it is kept."""
    memory = Path("/dev/shm")
    _clear_away(memory)
    is_roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 * 1024**3
    return str(memory) if is_roomy else None


@pytest.fixture(scope="session")
def new_postgresql(tls_files, tmp_path_factory) -> Iterator[Callable[[], Postgresql]]:
    with contextlib.ExitStack() as ending:

        def make() -> Postgresql:
            folder = Path(tempfile.mkdtemp(prefix="keyfob-pg-", dir=roomy_memory()))
            ending.callback(shutil.rmtree, folder, ignore_errors=True)
            ca = tmp_path_factory.mktemp("postgresql") / "ca.pem"
            shutil.copy(tls_files.ca, ca)
            made = Postgresql(folder, tls_files.certificate, tls_files.private_key, ca)
            ending.callback(made.stop)
            return made

        yield make


@pytest.fixture(scope="session")
def postgresql(new_postgresql) -> Postgresql:
    """One for tests that leave it running."""
    return new_postgresql()


def name_of(url: str) -> str:
    found = re.search(r"/(\w+)\?", url)
    assert found is not None
    return found[1]
