"""An operator's home, and the program run in this process with a clock that the test sets."""

import json
import re
import shutil
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

import inside
from databases import name_of
from keyfob import command
from keyfob.ambient import system_entropy
from keyfob.oauth import resource_metadata
from keyfob.oauth.resource_metadata import ResourceMetadata
from keyfob.openpgp import keys as openpgp_keys
from keyfob.server.cli import cli
from keyfob.server.commands.surroundings import Surroundings

ISSUER = "https://localhost:8443"
API = "https://api.example"


class Bound:
    """The program with the surroundings of a test."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings

    def main(self, arguments, **options):
        return cli.main(arguments, obj=self._surroundings, **options)


@pytest.fixture
def program(capsys, tmp_path, monkeypatch):
    """Run `keyfob-server` with arguments; `.now` and `.environ` may be set. Files without a folder go to tmp_path."""
    monkeypatch.chdir(tmp_path)
    self = SimpleNamespace(now=int(time.time()), environ={})

    def run(*arguments, code=0):
        surroundings = Surroundings(lambda: self.now, system_entropy, self.environ)
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            command.run(Bound(surroundings), "keyfob-server", [str(argument) for argument in arguments])
        shown = capsys.readouterr()
        assert ended.value.code == code, shown
        document = json.loads(shown.out) if "--json" in arguments else None
        return SimpleNamespace(out=shown.out, err=shown.err, json=document)

    self.run = run
    return self


@pytest.fixture(scope="session")
def other_key():
    return openpgp_keys.generate_operator_key("Other <other@other.example>")


def copy_home(source: Path, target: Path, new_database_url) -> None:
    """As it is, with a database of its own."""
    shutil.copytree(source, target)
    settings = target / "keyfob.toml"
    text = settings.read_text()
    for url in re.findall(r'"(postgresql://.*)"', text):
        settings.write_text(text.replace(url, new_database_url(name_of(url))))


@pytest.fixture(scope="session")
def made_once(tmp_path_factory, new_database_url, partner_key) -> dict[str, Path]:
    """Homes to be copied: one as `init` makes it, and one with an API and the partner Acme."""
    folder = tmp_path_factory.mktemp("made-once")
    homes = {"new": folder / "new", "with acme": folder / "with-acme"}
    certificate = folder / "acme.asc"
    certificate.write_bytes(partner_key[1].armored)
    url = new_database_url()
    database = () if url is None else ("--database", url)

    def run(home, *arguments) -> None:
        done = inside.run(cli, "keyfob-server", *arguments, "--home", home)
        assert done.returncode == 0, done.stderr

    run(homes["new"], "init", "--issuer", ISSUER, *database)
    copy_home(homes["new"], homes["with acme"], new_database_url)
    run(homes["with acme"], "resource", "add", write_resource(folder / "resource.json"))
    confirmed = ("--confirm-fingerprint", partner_key[1].fingerprint)
    contact = ("--certificate", certificate, "--email", "data@acme.example")
    run(homes["with acme"], "partner", "add", "Acme", *contact, *confirmed)
    return homes


@pytest.fixture
def home(program, tmp_path, new_database_url, made_once, request) -> Path:
    """A home on loopback."""
    folder = tmp_path / "operator"
    copy_home(made_once["with acme" if "acme" in request.fixturenames else "new"], folder, new_database_url)
    return folder


def write_resource(path, *, url=API, scopes=("a:read", "b:read"), issuer=ISSUER, types=("cdms_study",)):
    metadata = ResourceMetadata(url, (issuer,), {scope: f"Does {scope}" for scope in scopes}, types, {"keys": []})
    path.write_bytes(resource_metadata.write(metadata))
    return path


@pytest.fixture
def resource_file(tmp_path):
    """Write a resource.json: `resource_file(scopes=...)`."""

    def write(name="resource.json", **options):
        return write_resource(tmp_path / name, **options)

    return write


@pytest.fixture
def acme(program, home, tmp_path, partner_key, resource_file):
    """A home with one API and the partner Acme; `.create(...)` makes a client of it."""
    _, certificate = partner_key
    file = tmp_path / "acme.asc"
    file.write_bytes(certificate.armored)
    resource_file()
    self = SimpleNamespace(home=home, file=file, certificate=certificate)

    def create(*more, name="sync", code=0, partner="Acme", scope="a:read", resource=API):
        return program.run(
            *("client", "create", "--home", home, "--partner", partner, "--name", name),
            *("--scope", scope, "--resource", resource, "--json", *more),
            code=code,
        ).json

    self.create = create
    return self


@pytest.fixture
def audit_kinds(program, home):
    """The kinds of all audit records so far."""

    def kinds():
        shown = program.run("audit", "tail", "--home", home, "--count", "1000", "--json").json
        return [record["kind"] for record in shown["records"]]

    return kinds
