"""`init`: asks nothing on loopback, demands what a real issuer needs, and comes whole or not at all."""

import contextlib
import os
import signal
import ssl
import subprocess
import sys
from datetime import UTC, datetime

import pytest
import trustme

from keyfob import home as homes
from keyfob import tls
from keyfob.home import HomeKind

pytestmark = pytest.mark.on("sqlite")

RUN = "from keyfob.server.cli import main; main()"


@pytest.fixture
def recovery(tmp_path, other_key):
    file = tmp_path / "recovery.asc"
    file.write_bytes(other_key[1].armored)
    return file


@pytest.fixture
def tls_files(tmp_path, program):
    folder = tmp_path / "own-tls"
    folder.mkdir()
    tls.create_authority(folder, now=program.now)
    certificate, private_key = tls.issue_certificate(folder, names=("localhost",), now=program.now)
    (folder / "server.pem").write_bytes(certificate)
    homes.write_file(folder / "server.key", private_key.reveal_bytes())
    return folder


def make_certificate(path, name, *, until):
    """A chain and its key in one file, for a host that is not this machine."""
    issued = trustme.CA().issue_cert(
        name, not_before=datetime.fromtimestamp(0, UTC), not_after=datetime.fromtimestamp(until, UTC)
    )
    path.write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems) + issued.private_key_pem.bytes())
    path.chmod(0o600)
    return path


def test_a_loopback_home_is_made_without_a_question(program, home):
    assert homes.check(home, HomeKind.SERVER).installation_id
    for name in ("keyfob.toml", "keyfob.db", "operator.asc", "keys/kek", "tls/ca.pem", "tls/ca.key", "tls/server.key"):
        assert (home / name).is_file(), name
    assert not list(home.parent.glob(".*unfinished"))
    tls.server_context(home / "tls/server.pem", home / "tls/server.key")
    ssl.create_default_context(cafile=home / "tls/ca.pem")


@pytest.mark.skipif(os.name != "posix", reason="POSIX modes")
def test_private_files_are_their_owners_alone(home):
    public = {"operator.asc", "ca.pem", "server.pem", "keyfob.db.lock"}  # the lock is empty
    for path in home.rglob("*"):
        if path.name not in public:
            assert path.stat().st_mode & 0o077 == 0, path


def test_the_document_says_what_was_made(program, tmp_path):
    shown = program.run("init", "--home", tmp_path / "h", "--issuer", "https://127.0.0.1:8443", "--json").json
    made = {"home", "issuer", "operator_certificate", "operator_fingerprint", "operator", "operator_key"}
    assert set(shown) == {*made, "ca", "recovery"}
    assert len(shown["operator_fingerprint"]) == 40
    assert shown["recovery"] is None


def test_a_missing_recovery_copy_is_said_loudly(program, tmp_path):
    assert "WARNING" in program.run("init", "--home", tmp_path / "h", "--issuer", "https://localhost").out


def test_an_existing_home_is_never_overwritten(program, home):
    before = {path: path.read_bytes() for path in home.rglob("*") if path.is_file()}
    refused = program.run("init", "--home", home, "--issuer", "https://localhost", "--json", code=2)
    assert refused.json["error"] == "home-exists"
    assert refused.json["hint"]
    assert {path: path.read_bytes() for path in home.rglob("*") if path.is_file()} == before


def test_a_folder_with_anything_in_it_is_refused(program, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "x").touch()
    program.run("init", "--home", tmp_path / "full", "--issuer", "https://localhost", code=2)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["x"]


def test_a_home_of_another_kind_is_refused(program, tmp_path):
    with homes.building(tmp_path / "cdms", HomeKind.CDMS, installation_id="x"):
        pass
    program.run("init", "--home", tmp_path / "cdms", "--issuer", "https://localhost", code=2)
    refused = program.run("client", "list", "--home", tmp_path / "cdms", "--json", code=2)
    assert refused.json["error"] == "other-home"


def test_no_home_at_all_is_said(program, tmp_path):
    refused = program.run("client", "list", "--home", tmp_path / "none", "--json", code=2)
    assert refused.json["error"] == "no-home"


@pytest.mark.parametrize("issuer", ["http://localhost", "https://localhost/?x", "https://u@localhost", "localhost"])
def test_a_wrong_issuer_is_refused_and_nothing_is_made(program, tmp_path, issuer):
    assert (
        program.run("init", "--home", tmp_path / "h", "--issuer", issuer, "--json", code=2).json["error"]
        == "bad-issuer"
    )
    assert not (tmp_path / "h").exists()


def test_another_issuer_demands_a_recovery_certificate_and_tls_files(program, tmp_path, recovery, tls_files):
    base = ("init", "--home", tmp_path / "h", "--issuer", "https://id.example", "--json")
    own_tls = ("--tls-cert", tls_files / "server.pem", "--tls-key", tls_files / "server.key")
    assert program.run(*base, code=2).json["error"] == "recovery-missing"
    assert program.run(*base, *own_tls, code=2).json["error"] == "recovery-missing"
    assert program.run(*base, "--recovery-cert", recovery, code=2).json["error"] == "tls-missing"
    assert program.run(*base, *own_tls[:2], "--recovery-cert", recovery, code=2).json["error"] == "tls-files"
    assert not (tmp_path / "h").exists()
    # A certificate that no partner would believe is found now, not by the partners.
    other = program.run(*base, *own_tls, "--recovery-cert", recovery, code=2).json
    assert (other["error"], "not for id.example" in other["message"]) == ("tls-certificate", True)
    own = make_certificate(tmp_path / "own.pem", "*.example", until=program.now + 3600)
    own_tls = ("--tls-cert", own, "--tls-key", own)
    program.now += 3600
    expired = program.run(*base, *own_tls, "--recovery-cert", recovery, code=2).json
    assert (expired["error"], "has expired" in expired["message"]) == ("tls-certificate", True)
    assert not (tmp_path / "h").exists()
    program.now -= 1
    shown = program.run(*base, *own_tls, "--recovery-cert", recovery).json
    assert shown["ca"] is None
    assert not (tmp_path / "h" / "tls").exists()
    assert str(own) in (tmp_path / "h" / "keyfob.toml").read_text()


def test_tls_files_that_do_not_fit_are_refused_before_anything_is_made(program, tmp_path, recovery, tls_files):
    wrong = ("--tls-cert", tls_files / "ca.pem", "--tls-key", tls_files / "server.key", "--recovery-cert", recovery)
    refused = program.run("init", "--home", tmp_path / "h", "--issuer", "https://id.example", *wrong, "--json", code=1)
    assert refused.json["error"].startswith("tls")
    assert not (tmp_path / "h").exists()


def test_a_private_key_given_as_recovery_certificate_is_refused(program, tmp_path, other_key):
    file = tmp_path / "private.asc"
    file.write_bytes(other_key[0].reveal_bytes())
    base = ("init", "--home", tmp_path / "h", "--issuer", "https://localhost", "--json")
    refused = program.run(*base, "--recovery-cert", file, code=1)
    assert other_key[0].reveal().splitlines()[3] not in refused.out + refused.err
    assert not (tmp_path / "h").exists()


def test_the_recovery_copy_opens_with_the_recovery_key_to_the_key_encryption_key(
    program, tmp_path, recovery, other_key
):
    from keyfob.openpgp import certificate
    from keyfob.openpgp.unseal import PrivateKeyUnsealer

    home = tmp_path / "h"
    program.run("init", "--home", home, "--issuer", "https://localhost", "--recovery-cert", recovery)
    signer = certificate.read_signer((home / "operator.asc").read_bytes())
    copy = PrivateKeyUnsealer(other_key[0]).unseal((home / "recovery.asc").read_bytes(), signer=signer)
    assert copy.reveal_bytes() == (home / "keys" / "kek").read_bytes()
    (home / "keys" / "kek").unlink()
    refused = program.run("client", "list", "--home", home, "--json", code=1).json
    assert refused["error"] == "key-file-missing"
    assert f"gpg --decrypt {home / 'recovery.asc'} > {home / 'keys' / 'kek'}" in refused["hint"]


def test_a_database_may_lie_elsewhere_and_is_never_overwritten(program, tmp_path):
    place = tmp_path / "data" / "k.db"
    place.parent.mkdir()
    program.run("init", "--home", tmp_path / "h", "--issuer", "https://localhost", "--database", f"sqlite:///{place}")
    assert place.is_file()
    assert not (tmp_path / "h" / "keyfob.db").exists()
    program.run("client", "list", "--home", tmp_path / "h")
    content = place.read_bytes()
    again = ("init", "--home", tmp_path / "h2", "--issuer", "https://localhost", "--database", f"sqlite:///{place}")
    assert program.run(*again, "--json", code=2).json["error"] == "database-exists"
    assert not (tmp_path / "h2").exists()
    assert place.read_bytes() == content


DATABASES = {
    "postgresql://u:secret@h/d": "password-on-command-line",
    "postgresql://u:secret@/d": "bad-database",
    "postgresql://u@db.example/d?sslmode=require": "bad-database",
    "postgresql://u@db.example/d?sslmode=verify-ca": "bad-database",
    "postgresql://u@localhost/d?hostaddr=192.0.2.1": "bad-database",
    "postgresql://u@localhost/d?service=secret": "bad-database",
    "sqlite:///": "bad-database",
    "k.db": "bad-database",
}


@pytest.mark.parametrize(("url", "code"), DATABASES.items())
def test_another_database_is_refused_and_not_repeated(program, tmp_path, url, code):
    refused = program.run(
        "init", "--home", tmp_path / "h", "--issuer", "https://localhost", "--database", url, "--json", code=2
    )
    assert refused.json["error"] == code
    assert "secret" not in refused.out + refused.err


def test_the_first_records_tell_of_the_installation_and_its_keys(home, audit_kinds):
    made = ["installation_created", "signing_key_created", "signing_key_created", "operator_added"]
    assert audit_kinds() == made


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
def test_a_kill_at_any_moment_leaves_a_whole_home_or_none(tmp_path, program):
    """A whole run takes about a second: kills are spread over it."""
    whole = 0
    for moment in range(8):
        folder = tmp_path / f"h{moment}"
        other = subprocess.Popen(
            [sys.executable, "-c", RUN, "init", "--home", str(folder), "--issuer", "https://localhost:8443"],
            stdout=subprocess.DEVNULL,
        )
        with contextlib.suppress(subprocess.TimeoutExpired):
            other.wait(0.2 + 0.25 * moment)
        other.send_signal(signal.SIGKILL)
        other.wait()
        if folder.exists():
            whole += 1
            assert "whole" in program.run("audit", "verify", "--home", folder).out
        else:
            program.run("init", "--home", folder, "--issuer", "https://localhost:8443")
    assert whole < 8, "no kill came early enough to mean anything"
