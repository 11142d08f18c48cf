"""`backup` and `restore`: the API begins again where it was, its numbers under another epoch."""

import contextlib
import shutil
import subprocess

import pytest

from databases import name_of
from keyfob import settings as files
from keyfob.ambient import system_entropy
from keyfob.cdms import installation

STUDY = "/v1/studies/KF.DEMO"


@pytest.fixture(scope="module")
def given(new_api, demo_study, tmp_path_factory):
    """With the demonstration's data; it serves."""
    made = new_api()
    folder = tmp_path_factory.mktemp("demo")
    for name in ("design", "data"):
        (folder / f"{name}.xml").write_bytes(demo_study(name))
        made.run("load", folder / f"{name}.xml")
    made.serve()
    return made


@pytest.fixture
def restored(given, tmp_path, request, database_kind):
    """Makes a home of a backup, its database also where that is PostgreSQL."""

    def make(backup):
        apart = tmp_path / "apart"
        apart.mkdir()
        for name in ("keys/kek", "tls/server.key"):
            shutil.copy(given.home / name, apart)
        if database_kind == "postgresql":
            _restore_dump(request.getfixturevalue("postgresql"), backup)
        home = tmp_path / "restored"
        keys = ("--kek", apart / "kek", "--tls-key", apart / "server.key")
        done = given.run("restore", backup, *keys, at=home)
        given.stop()
        return home, done

    return make


def _restore_dump(cluster, backup):
    """As an operator would, into a new database that keyfob.toml then names."""
    url = cluster.new_url()
    target = ("--no-owner", f"--dbname={url}", str(backup / "keyfob.dump"))
    subprocess.run([cluster.programs / "pg_restore", *target], check=True)
    toml = backup / files.FILE
    toml.write_text(toml.read_text().replace(_url_in(toml), url))
    assert name_of(url) in toml.read_text()


def _url_in(toml):
    return next(line.split('"')[1] for line in toml.read_text().splitlines() if line.startswith("url = "))


@pytest.mark.on("sqlite", "postgresql")
def test_a_restored_api_has_everything_and_tells_who_follows_to_begin_again(given, restored, tmp_path, monkeypatch):
    backup = tmp_path / "backup"
    before = given.get(f"{STUDY}/changes?limit=1000").document
    head = given.run("audit", "verify", "KF.DEMO")["head"]
    answer = given.run("backup", backup)
    assert answer["audit_heads"] == {"KF.DEMO": head}
    if (dump := answer["database_command"]) is not None:
        subprocess.run(dump, shell=True, check=True)  # as it was printed
    assert given.register("KF.DEMO", "lost with the old database").status == 201
    beyond = given.get(STUDY).document["high_water"]
    lost = {"if-none-match": given.get(f"{STUDY}/clinical-data").headers["etag"]}
    kept = {path.name for path in backup.rglob("*")}
    assert {"kek", "server.key", "cdms.db-wal", "cdms.db.lock"} & kept == set()
    old, (home, done) = given.home, restored(backup)
    assert done["epoch"] != before["epoch"]
    given.home = home
    try:
        assert given.run("audit", "verify", "KF.DEMO", "--expect", head)["whole"] is True
        given.serve()
        after = given.get(f"{STUDY}/changes?limit=1000").document
        assert (after["epoch"], after["items"]) == (done["epoch"], before["items"])
        (*_, last) = given.get(f"{STUDY}/audit?after={before['high_water']}").document["items"]
        assert (last["action"], last["epoch"]) == ("restore", done["epoch"])
        follows = f"{STUDY}/changes?after={beyond}"
        for path in (f"{follows}&epoch={before['epoch']}", f"{STUDY}/changes?epoch={before['epoch']}"):
            refused = given.get(path)
            assert (refused.status, refused.document["code"]) == (409, "other-epoch")
        assert given.get(f"{STUDY}/changes?epoch={after['epoch']}").status == 200
        keys = {one["key"] for one in given.get(f"{STUDY}/subjects").document["items"]}
        assert "lost with the old database" not in keys
        assert given.get(STUDY).document["high_water"] == beyond, "the same number, of another state"
        assert given.get(f"{STUDY}/clinical-data", headers=lost).status == 200
    finally:
        given.stop()
        given.home = old
        given.serve()


@pytest.mark.on("sqlite")
def test_a_backup_that_is_copied_back_by_hand_has_another_epoch_too(given, tmp_path):
    backup = tmp_path / "backup"
    given.run("backup", backup)
    shutil.copy(given.home / "keys" / "kek", backup / "keys")
    epochs = []
    for home in (given.home, backup):
        with contextlib.closing(installation.open(home, environ={}, entropy=system_entropy)) as opened:
            with opened.store.reading() as reading:
                epochs.append(reading.epoch())
    assert epochs[0] != epochs[1]


def test_a_restore_that_cannot_be_leaves_nothing(given, tmp_path):
    backup, home, wrong = tmp_path / "backup", tmp_path / "home", tmp_path / "kek"
    given.run("backup", backup)
    assert given.run("backup", backup, status=2)["error"] == "file-exists"
    wrong.write_bytes(bytes(32))
    assert given.run("restore", backup, "--kek", tmp_path / "none", at=home, status=2)["error"] == "file-unreadable"
    assert given.run("restore", tmp_path, "--kek", wrong, at=home, status=2)["error"] == "no-home"
    given.run("restore", backup, "--kek", wrong, at=home, status=1)
    kek = given.home / "keys" / "kek"
    assert given.run("restore", backup, "--kek", kek, at=given.home, status=2)["error"] == "home-exists"
    assert not home.exists()
    assert {path.name for path in tmp_path.iterdir()} == {"backup", "kek"}
