"""`move-store`: the clinical data are the same on their new database, and until then nothing has changed."""

import contextlib
import re

import pytest

from keyfob import home as homes
from keyfob import moving
from keyfob import settings as files
from keyfob.ambient import system_entropy
from keyfob.cdms import installation
from keyfob.cdms.storage.schema import TABLES

pytestmark = pytest.mark.on("sqlite")
STUDY = "/v1/studies/KF.DEMO"


@pytest.fixture(scope="module")
def api(new_api, demo_study, tmp_path_factory):
    """An API with the demonstration's data, that serves nothing yet."""
    made = new_api()
    folder = tmp_path_factory.mktemp("demo")
    for name in ("design", "data"):
        (folder / f"{name}.xml").write_bytes(demo_study(name))
        made.run("load", folder / f"{name}.xml")
    return made


def move(api, url, **options):
    return api.run("move-store", "--to", url, **options)


def sums(api):
    with contextlib.closing(installation.open(api.home, environ={}, entropy=system_entropy)) as opened:
        with opened.store.alone() as connection:
            return {
                table.name: moving.Sum().plus(connection.execute(table.select()).all())
                for table in TABLES.metadata.sorted_tables
            }


def seen(api):
    """What a client gets to see, of all that there is."""
    paths = (f"{STUDY}/clinical-data", f"{STUDY}/changes?limit=1000", f"{STUDY}/audit?limit=1000", f"{STUDY}/subjects")
    return [re.sub(rb' CreationDateTime="[^"]*"', b"", api.get(path).body) for path in paths]


def change(api):
    """Something new, in a row that the database has to number."""
    subject = api.get(f"{STUDY}/subjects?limit=1").document["items"][0]["subject_id"]
    path = f"{STUDY}/subjects/{subject}/events/SE.VISIT/forms/F.DIARY/item-groups/IG.DIARY?erk=moved"
    body = {"items": [{"oid": "I.PAIN", "value": "3"}]}
    assert api.request("PUT", path, body, {"if-none-match": "*"}).status == 201


def test_a_move_to_postgresql_and_back_keeps_every_row_and_goes_on_counting(api, postgresql):
    api.serve()
    shown = seen(api)
    refused = move(api, postgresql.new_url(), status=2)
    assert refused["error"] == "home-in-use"
    api.stop()
    before, old = sums(api), (api.home / "cdms.db").read_bytes()
    moved = move(api, postgresql.new_url())
    assert moved["tables"] == {name: found.count for name, found in before.items()}
    assert sums(api) == before
    assert 'url = "postgresql://keyfob@localhost' in (api.home / files.FILE).read_text()
    assert (api.home / "cdms.db").read_bytes() == old
    head = moved["audit_heads"]["KF.DEMO"]
    assert api.run("audit", "verify", "KF.DEMO", "--expect", head)["whole"] is True
    api.serve()
    assert seen(api) == shown
    change(api)
    shown = seen(api)
    api.stop()
    before = sums(api)
    back = move(api, f"sqlite:///{api.home / 'back.db'}")
    assert back["tables"]["audit"] == moved["tables"]["audit"] + 1
    assert sums(api) == before
    assert api.run("audit", "verify", "KF.DEMO", "--expect", head)["whole"] is True
    api.serve()
    assert seen(api) == shown
    api.stop()


def test_a_move_that_fails_leaves_the_old_database_in_force(api, postgresql, tmp_path, monkeypatch):
    content, before, url = (api.home / files.FILE).read_bytes(), sums(api), postgresql.new_url()
    (tmp_path / "there.db").touch()
    assert move(api, f"sqlite:///{tmp_path / 'there.db'}", status=2)["error"] == "database-exists"
    assert move(api, "postgresql://u:hush@localhost/d", status=2)["error"] == "password-on-command-line"
    assert move(api, "postgresql://u@db.example/d?sslmode=prefer", status=2)["error"] == "bad-database"
    with homes.in_use(api.home):
        assert move(api, url, status=2)["error"] == "home-in-use"
    whole = moving.Sum.plus
    calls = iter(range(1000))
    monkeypatch.setattr(moving.Sum, "plus", lambda self, rows: whole(self, rows[1:] if next(calls) == 5 else rows))
    assert move(api, url, status=1)["error"] == "move-differs"
    monkeypatch.undo()
    assert (api.home / files.FILE).read_bytes() == content
    assert sums(api) == before
    assert move(api, url)["to"].startswith("postgresql://keyfob@localhost"), "and what was begun there is gone"
