"""`move-store`: the installation is the same on its new database, and until then nothing has changed."""

import contextlib
import os
import re
import signal
import subprocess
import sys

import pytest
import sqlalchemy as sa

from keyfob import databases, moving
from keyfob import home as homes
from keyfob.ambient import system_entropy
from keyfob.problem import Misuse
from keyfob.server import installation, settings
from keyfob.server.storage import schema
from keyfob.server.storage.schema import TABLES

pytestmark = pytest.mark.on("sqlite")


def sums(home):
    """What each table holds, but for the record of the move itself."""
    found = {}
    where = settings.load(home, {}).database
    with contextlib.closing(databases.find(where, TABLES, environ={})) as opened, opened.read() as connection:
        for table in schema.metadata.sorted_tables:
            rows = connection.execute(sa.select(table)).all()
            kept = [row for row in rows if b"store_moved" not in repr(row).encode()]
            found[table.name] = moving.Sum().plus(kept)
    return found


@pytest.fixture
def used(acme, program):
    """A home with a partner, clients, a revoked and a rotated one."""
    for name in ("one", "two", "three"):
        made = acme.create(name=name)
    program.run("client", "rotate", made["client_id"], "--home", acme.home)
    program.run("client", "revoke", acme.create(name="four")["client_id"], "--home", acme.home)
    return acme.home


def move(program, home, url, **options):
    return program.run("move-store", "--home", home, "--to", url, "--json", **options).json


def test_a_move_to_postgresql_and_back_keeps_every_row_and_the_trail(program, used, postgresql, tmp_path):
    with (used / settings.FILE).open("a") as file:
        file.write("\n# ours\n[limits]\nmax_body_bytes = 4096 # small\n")
    before, old = sums(used), (used / "keyfob.db").read_bytes()
    head = program.run("audit", "verify", "--home", used, "--json").json["head"]
    moved = move(program, used, postgresql.new_url())
    assert moved["tables"] == {name: found.count for name, found in before.items()}
    assert sums(used) == before
    assert 'url = "postgresql://keyfob@localhost' in (used / settings.FILE).read_text()
    assert program.run("audit", "verify", "--home", used, "--expect", head, "--json").json["whole"] is True
    assert program.run("audit", "tail", "--home", used, "--json").json["records"][-1]["kind"] == "store_moved"
    assert (used / "keyfob.db").read_bytes() == old
    back = move(program, used, f"sqlite:///{tmp_path / 'back.db'}")
    assert back["tables"]["audit_record"] == moved["tables"]["audit_record"] + 1
    assert sums(used) == before
    assert (
        program.run("audit", "verify", "--home", used, "--expect", moved["audit_head"], "--json").json["whole"] is True
    )
    assert "# ours\n[limits]\nmax_body_bytes = 4096 # small" in (used / settings.FILE).read_text()
    program.run("partner", "list", "--home", used)


def test_a_move_into_what_is_not_empty_is_refused_and_changes_nothing(program, used, postgresql, tmp_path):
    content, before = (used / settings.FILE).read_bytes(), sums(used)
    url = postgresql.new_url()
    postgresql.sql("CREATE TABLE somebodys (id integer)", re.search(r"/(\w+)\?", url)[1])
    (tmp_path / "there.db").touch()
    for target in (url, f"sqlite:///{tmp_path / 'there.db'}"):
        assert move(program, used, target, code=2)["error"] == "database-exists"
    assert move(program, used, "postgresql://u:hush@localhost/d", code=2)["error"] == "password-on-command-line"
    assert move(program, used, "postgresql://u@db.example/d?sslmode=prefer", code=2)["error"] == "bad-database"
    assert (used / settings.FILE).read_bytes() == content
    assert sums(used) == before


def test_rows_that_did_not_arrive_as_they_were_end_the_move(program, used, postgresql, tmp_path, monkeypatch):
    content, before = (used / settings.FILE).read_bytes(), sums(used)
    whole = moving.Sum.plus

    def forgetful(self, rows):
        forgetful.calls += 1
        return whole(self, rows if forgetful.calls != 4 else rows[1:])

    for url in (postgresql.new_url(), f"sqlite:///{tmp_path / 'new.db'}"):
        forgetful.calls = 0
        monkeypatch.setattr(moving.Sum, "plus", forgetful)
        assert move(program, used, url, code=1)["error"] == "move-differs"
        monkeypatch.undo()
        assert (used / settings.FILE).read_bytes() == content
        assert sums(used) == before
        monkeypatch.chdir(tmp_path)
        move(program, used, url)
        content, before = (used / settings.FILE).read_bytes(), sums(used)


def test_nothing_moves_while_a_server_or_another_node_runs(program, used, postgresql, tmp_path):
    with homes.in_use(used):
        assert move(program, used, postgresql.new_url(), code=2)["error"] == "home-in-use"
    with homes.in_use(used, alone=True), pytest.raises(Misuse), homes.in_use(used):
        pass
    move(program, used, postgresql.new_url())
    with contextlib.closing(installation.open(used, environ={}, entropy=system_entropy)):
        assert move(program, used, f"sqlite:///{tmp_path / 'b.db'}", code=1)["error"] == "database-in-use"
    move(program, used, f"sqlite:///{tmp_path / 'b.db'}")


@pytest.mark.skipif(os.name != "posix", reason="SIGKILL")
@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_a_kill_at_any_moment_leaves_one_whole_store_in_force(program, used, postgresql, tmp_path, kind):
    """Whatever the moment, the settings name a database that is whole and has everything."""
    before = sums(used)
    command = [sys.executable, "-c", "from keyfob.server.cli import main; main()", "move-store", "--home", str(used)]
    for step in range(8):
        url = postgresql.new_url() if kind == "postgresql" else f"sqlite:///{tmp_path / f'k{step}.db'}"
        process = subprocess.Popen([*command, "--to", url], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.3 + step * 0.2)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert sums(used) == before
        assert program.run("audit", "verify", "--home", used, "--json").json["whole"] is True


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b'[database]\nurl = "sqlite:///a.db" # old\n', b'[database]\nurl = "sqlite:///b.db"\n'),
        (b'[tls] # x\ncertificate = "c"', b'[tls] # x\ncertificate = "c"\n\n[database]\nurl = "sqlite:///b.db"\n'),
        (b"[database]\n# url = 1\n", b'[database]\nurl = "sqlite:///b.db"\n# url = 1\n'),
    ],
)
def test_one_setting_is_replaced_and_all_else_stays(content, expected):
    assert settings.replaced(content, "database.url", "sqlite:///b.db", where="f") == expected


def test_a_setting_that_cannot_be_found_where_it_should_be_is_not_guessed():
    with pytest.raises(Misuse):
        settings.replaced(b'database.url = "sqlite:///a.db"\n', "database.url", "sqlite:///b.db", where="f")
