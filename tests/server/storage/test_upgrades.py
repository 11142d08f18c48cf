"""From every schema that there ever was to the newest, on both databases, with what was in it.

The commit that brings a migration freezes a dump of a database in its form, `dumps/REVISION.KIND.sql`, which is never
changed after: `KEYFOB_FREEZE=1 pytest tests/server/storage/test_upgrades.py` writes those that are missing.
"""

import contextlib
import os
import re
import sqlite3
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from keyfob.problem import Misuse
from keyfob.server.audit.chain import Heads
from keyfob.server.audit.events import Kind
from keyfob.server.storage import schema
from keyfob.server.storage.records import Purpose, SigningKeyRecord, State

DUMPS = Path(__file__).parent / "dumps"
HEAD = re.compile(r"-- the head of its audit trail: (.*)\n")


def config():
    found = Config()
    found.set_main_option("script_location", schema.TABLES.migrations)
    return found


REVISIONS = sorted(one.revision for one in ScriptDirectory.from_config(config()).walk_revisions())


def name_of(url):
    return re.search(r"/(\w+)\?", url)[1]


def use(made):
    """Something in every table that the first schema had."""
    key = SigningKeyRecord("kid1", Purpose.ACCESS_TOKENS, "ES256", State.ACTIVE, "{}", b"\x00sealed\xff", 1, 1)
    with made.store.change(now=made.now, actor="operator:test") as change:
        change.add_signing_key(key)
        change.record(Kind.SIGNING_KEY_CREATED, kid="kid1")
    made.store.record_grants([made.grant(number) for number in range(3)], made.now + 5)


def freeze(made, revision, new_place, open_database, postgresql):
    """The rows of a store as it is now, in the form that `revision` had."""
    use(made)
    place = new_place()
    with contextlib.closing(open_database(place)) as old:
        settings = config()
        with old.write() as connection:
            settings.attributes["connection"] = connection
            command.upgrade(settings, revision)
        former = sa.MetaData()
        former.reflect(old.engine)
        with made.store._database.read() as source, old.write() as target:
            for table in schema.metadata.sorted_tables:
                if table.name not in former.tables:
                    continue
                columns = former.tables[table.name].c.keys()
                for row in source.execute(sa.select(table)).all():
                    values = {name: value for name, value in row._asdict().items() if name in columns}
                    target.execute(sa.insert(former.tables[table.name]).values(values))
    if isinstance(place, Path):
        with contextlib.closing(sqlite3.connect(place)) as connection:
            text = "\n".join(connection.iterdump()) + "\n"
    else:
        told = re.compile(r"(--|SET |SELECT pg_catalog.set_config|\\(un)?restrict)")
        kept = [line for line in postgresql.dump(name_of(place)).splitlines() if not told.match(line)]
        text = re.sub(r"\n{2,}", "\n", "\n".join(kept)).strip() + "\n"
    return f"-- the head of its audit trail: {made.store.audit_head()}\n{text}"


@pytest.fixture
def thawed(request, database_kind, new_place, open_database, made, revision):
    """The path or URL of a database of that revision, and the head of the audit trail in it."""
    file = DUMPS / f"{revision}.{database_kind}.sql"
    if not file.exists() and os.environ.get("KEYFOB_FREEZE"):
        cluster = request.getfixturevalue("postgresql") if database_kind == "postgresql" else None
        DUMPS.mkdir(exist_ok=True)
        file.write_text(freeze(made, revision, new_place, open_database, cluster))
    assert file.exists(), f"no dump was frozen of schema {revision}: see the first lines of {__file__}"
    text = file.read_text()
    place = new_place()
    if isinstance(place, Path):
        with contextlib.closing(sqlite3.connect(place)) as connection:
            connection.executescript(text)
    else:
        request.getfixturevalue("postgresql").sql(f"SET ROLE keyfob;\n{text}", name_of(place))
    return place, HEAD.match(text)[1]


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_database_of_each_former_schema_is_brought_up_to_date_with_all_that_is_in_it(thawed, made):
    place, head = thawed
    with contextlib.closing(made.open(place)) as store:
        with store._database.read() as connection:
            assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
        view = store.find_client("cl_1")
        for name in ("id", "name", "state", "grants", "authorization_details", "token_lifetime"):
            assert getattr(view.client, name) == getattr(made.client, name)
        (credential,) = view.credentials
        assert (credential.secret_hash, credential.first_used_at) == (made.credential.secret_hash, made.now + 5)
        (key,) = store.signing_keys()
        assert (key.kid, key.envelope) == ("kid1", b"\x00sealed\xff")
        assert store.resources() == (made.resource,)
        assert store.audit_verdict(expect=Heads.parse(head)).findings == ()
        store.record_grants([made.grant("new")], made.now + 9)
        assert store.audit_verdict(expect=Heads.parse(head)).findings == ()


@pytest.mark.parametrize("revision", REVISIONS[-1:])
def test_a_database_of_a_later_schema_is_refused_and_left_as_it_is(thawed, made, open_database):
    place, _ = thawed
    with contextlib.closing(open_database(place)) as opened:
        with opened.write() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
        with pytest.raises(Misuse, match="newer than this program"):
            made.open(place)
        with opened.read() as connection:
            assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"
