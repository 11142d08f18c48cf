"""`backup`: whole, restorable with the key-encryption key, and useless without it."""

import shutil

import pytest

from keyfob import home as homes
from keyfob.ambient import system_entropy
from keyfob.problem import Problem
from keyfob.server import installation

pytestmark = pytest.mark.on("sqlite")


def test_a_backup_and_the_key_make_the_installation_again(program, acme, tmp_path):
    made = acme.create()
    shown = program.run("backup", tmp_path / "b" / "one", "--home", acme.home, "--json").json
    copy = tmp_path / "b" / "one"
    shutil.copy(acme.home / "keys" / "kek", copy / "keys" / "kek")
    assert homes.check(copy, homes.HomeKind.SERVER) == homes.Home(
        copy, homes.HomeKind.SERVER, homes.check(acme.home, homes.HomeKind.SERVER).installation_id
    )
    restored = installation.open(copy, environ={}, entropy=system_entropy)
    assert restored.store.find_client(made["client_id"])
    assert [restored.signing_key(record) for record in restored.store.signing_keys()]
    assert restored.operator_key()
    restored.close()
    for home in (copy, acme.home):
        verified = program.run("audit", "verify", "--home", home, "--expect", shown["audit_head"], "--json").json
        assert verified["whole"] is True


def test_a_backup_of_a_database_outside_the_home_is_restored_with_the_copy_of_it(program, tmp_path):
    """The disk that the database was on is gone: the settings in the backup must not lead there."""
    home, database, copy = tmp_path / "home", tmp_path / "disk" / "live.db", tmp_path / "copy"
    database.parent.mkdir()
    program.run("init", "--home", home, "--issuer", "https://localhost:8443", "--database", f"sqlite:///{database}")
    head = program.run("backup", copy, "--home", home, "--json").json["audit_head"]
    shutil.copy(home / "keys" / "kek", copy / "keys" / "kek")
    program.run("backup", tmp_path / "another", "--home", home)
    records = program.run("audit", "tail", "--home", copy, "--json").json["records"]
    assert [record["kind"] for record in records].count("backup_started") == 1, "its own copy, not the live database"
    shutil.rmtree(database.parent)
    shutil.rmtree(home)
    assert program.run("audit", "verify", "--home", copy, "--expect", head, "--json").json["whole"] is True


def test_a_backup_keeps_the_settings_as_they_were_written(program, home, tmp_path):
    written = home / "keyfob.toml"
    written.write_text(written.read_text() + "\n[keys]\nrotation_days = 7 # a reason\n")
    program.run("backup", tmp_path / "b", "--home", home)
    assert (tmp_path / "b" / "keyfob.toml").read_bytes() == written.read_bytes()


def test_a_backup_holds_no_key_in_the_clear(program, acme, tmp_path):
    program.run("backup", tmp_path / "b", "--home", acme.home)
    names = {str(path.relative_to(tmp_path / "b")) for path in (tmp_path / "b").rglob("*") if path.is_file()}
    assert "keyfob.db" in names
    assert "keys/operator.envelope" in names
    assert not {"keys/kek", "tls/server.key", "tls/ca.key"} & names
    secrets = [(acme.home / name).read_bytes() for name in ("keys/kek", "tls/server.key", "tls/ca.key")]
    for name in names:
        content = (tmp_path / "b" / name).read_bytes()
        assert not [secret for secret in secrets if secret in content], name


def test_a_backup_without_its_key_does_not_open(program, acme, tmp_path):
    program.run("backup", tmp_path / "b", "--home", acme.home)
    with pytest.raises(Problem, match="kek"):
        installation.open(tmp_path / "b", environ={}, entropy=system_entropy)


def test_a_backup_never_overwrites_and_leaves_no_trace_when_it_fails(program, acme, tmp_path):
    (tmp_path / "b").mkdir()
    refused = program.run("backup", tmp_path / "b", "--home", acme.home, "--json", code=2)
    assert refused.json["error"] == "file-exists"
    (tmp_path / "file").touch()
    refused = program.run("backup", tmp_path / "file" / "b", "--home", acme.home, "--json", code=1)
    assert refused.json["error"] == "backup-failed"
    assert not list(tmp_path.glob(".*unfinished"))


def test_the_text_names_the_head_to_note(program, acme, tmp_path, audit_kinds):
    assert "audit head " in program.run("backup", tmp_path / "b", "--home", acme.home).out
    assert audit_kinds()[-1] == "backup_started"
