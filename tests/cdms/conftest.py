"""A real `keyfob-cdms` process on a home made with the real commands, and tokens by a small real issuer."""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from importlib import resources
from pathlib import Path
from urllib.parse import quote

import pytest
import sqlalchemy as sa

import inside
from databases import (  # noqa: F401  # fixtures, and the hook that chooses
    database_kind,
    new_database_url,
    new_place,
    new_postgresql,
    postgresql,
    pytest_generate_tests,
)
from keyfob import databases
from keyfob.cdms import settings
from keyfob.cdms.cli import cli
from keyfob.cdms.storage.schema import TABLES

ENTRY = "from keyfob.cdms.cli import main; main()"
ALL_SCOPES = (
    "studies:read metadata:read metadata:write subjects:read subjects:write clinical-data:read clinical-data:write "
    "lab-data:write datasets:read batches:read changes:read audit:read identifiers:read"
)
EVERY_STUDY = [{"type": "cdms_study", "identifier": "*"}]


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def document(self):
        return json.loads(self.body)

    @property
    def codes(self) -> list[str]:
        return [one["code"] for one in self.document.get("errors", [])]


@dataclass
class Api:
    """The API of one home, and whoever calls it."""

    home: Path
    port: int
    issuer: object
    processes: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def resource(self) -> str:
        return f"https://localhost:{self.port}"

    def run(self, *arguments: object, status: int = 0, at: Path | None = None) -> dict[str, object]:
        done = inside.run(cli, "keyfob-cdms", *arguments, "--home", at or self.home, "--json")
        assert done.returncode == status, done.stdout + done.stderr
        return json.loads(done.stdout)

    def sql(self, *statements: str) -> list[sa.CursorResult]:
        """Behind the API's back, in one transaction; what each of them came to."""
        where = settings.load(self.home, {}).database
        with contextlib.closing(databases.find(where, TABLES, environ={})) as opened, opened.write() as connection:
            return [connection.execute(sa.text(statement)) for statement in statements]

    def serve(self, *options: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", ENTRY, "serve", "--home", str(self.home), *map(str, options)],
            stdout=subprocess.PIPE,
            stderr=(self.home.parent / "cdms.log").open("a"),
            text=True,
        )
        self.processes.append(process)
        assert process.stdout is not None
        assert process.stdout.readline().strip() == f"ready {self.resource}", self.log
        return process

    @property
    def log(self) -> str:
        return (self.home.parent / "cdms.log").read_text()

    def token(self, scope: str = ALL_SCOPES, details: object = None, **changes: object) -> str:
        now = int(time.time())
        granted = EVERY_STUDY if details is None else details
        claims = {"aud": self.resource, "iat": now, "exp": now + 300, "scope": scope, "authorization_details": granted}
        return self.issuer.token(**{**claims, **changes}).reveal()

    def connect(self) -> http.client.HTTPSConnection:
        context = self.issuer.client_context()
        return http.client.HTTPSConnection("localhost", self.port, timeout=60, context=context)

    def request(
        self,
        method: str,
        path: str,
        body: bytes | object = b"",
        headers: dict[str, str] | None = None,
        *,
        token: str | None = None,
        anonymous: bool = False,
    ) -> Answer:
        sent = dict(headers or {})
        if not anonymous:
            sent.setdefault("authorization", f"Bearer {token or self.token()}")
        if not isinstance(body, bytes):
            body = json.dumps(body).encode()
            sent.setdefault("content-type", "application/json")
        connection = self.connect()
        try:
            connection.request(method, path, body=body, headers=sent)
            response = connection.getresponse()
            found = {name.lower(): value for name, value in response.getheaders()}
            return Answer(response.status, found, response.read())
        finally:
            connection.close()

    def get(self, path: str, **options: object) -> Answer:
        return self.request("GET", path, **options)

    def post_odm(self, study: str, body: bytes, *, query: str = "", **options: object) -> Answer:
        headers = {"content-type": "application/xml", **options.pop("headers", {})}
        return self.request("POST", f"/v1/studies/{quote(study)}/clinical-data{query}", body, headers, **options)

    def register(self, study: str, key: str, site: str | None = None, **options: object) -> Answer:
        document = {"key": key} if site is None else {"key": key, "site": site}
        return self.request("POST", f"/v1/studies/{quote(study)}/subjects", document, **options)

    def stop(self) -> None:
        for process in self.processes:
            process.terminate()
            process.wait(timeout=30)
            assert process.stdout is not None
            process.stdout.close()
        self.processes.clear()


@pytest.fixture(scope="session")
def demo_study() -> Callable[[str], bytes]:
    folder = resources.files("keyfob.cdms.demo_study")
    return lambda name: folder.joinpath(name if "." in name else f"{name}.xml").read_bytes()


@pytest.fixture(scope="session")
def new_api(
    tmp_path_factory, tls_files, session_issuer, free_port_of, new_database_url,  # noqa: F811  # a fixture
) -> Iterator[Callable[[], Api]]:  # fmt: skip
    made: list[Api] = []

    def make() -> Api:
        folder = tmp_path_factory.mktemp("cdms")
        api = Api(folder / "home", free_port_of(), session_issuer)
        made.append(api)
        url = new_database_url()
        where = () if url is None else ("--database", url)
        api.run("init", "--issuer", session_issuer.url, "--resource", api.resource, "--ca", tls_files.ca, *where)
        return api

    yield make
    for api in made:
        api.stop()


@pytest.fixture
def api(new_api, demo_study, tmp_path) -> Api:
    """A running API with the demonstration's study, without data."""
    api = new_api()
    design = tmp_path / "design.xml"
    design.write_bytes(demo_study("design"))
    api.run("load", design)
    api.serve()
    return api


@pytest.fixture(scope="module")
def shared_api(new_api, demo_study, tmp_path_factory) -> Api:
    """One for the tests of a module that leave it as it was."""
    api = new_api()
    design = tmp_path_factory.mktemp("design") / "design.xml"
    design.write_bytes(demo_study("design"))
    api.run("load", design)
    api.serve()
    return api


@pytest.fixture(scope="module")
def shared_subject(shared_api) -> str:
    return str(shared_api.register("KF.DEMO", "shared").document["subject_id"])


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The public clinical files; a test that needs them skips where they are not."""
    named = os.environ.get("KEYFOB_TEST_DATA")
    folder = Path(named) if named else Path(__file__).parents[2].parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("no test data")
    return folder
