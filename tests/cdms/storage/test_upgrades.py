"""From every schema that there ever was to the newest, on both databases, with what was in it: see tests/schemas.py."""

import contextlib
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import schemas
from cdms.storage.conftest import NOW, SOMEBODY, STUDY, add_subject, open_store, put_diary
from databases import open_database
from keyfob import database, ledger
from keyfob.cdms.storage import schema
from keyfob.cdms.storage.records import StoredAnswer
from keyfob.cdms.storage.schema import TABLES
from keyfob.problem import Misuse

DUMPS = Path(__file__).parent / "dumps"
REVISIONS = schemas.revisions(TABLES)
HEAD = "the head of its audit trail: "
ANSWER = StoredAnswer("asked", 201, (("etag", '"1"'),), b'{"a": 1}')


def use(store):
    """Something in every table that the first schema had."""
    with store.writing(actor=SOMEBODY, now=NOW) as writing:
        subject = writing.reading.find_subject(STUDY, key="first")
        for repeat in ("1", "2"):
            put_diary(writing, subject, repeat, "3")
        writing.keep_answer("cl_1", "key1", ANSWER)
        writing.keep_batch("bat_1", STUDY, file_oid="F.1", sha256="0" * 64, body=b"<ODM/>")


@pytest.fixture
def thawed(request, database_kind, new_place, store, revision):
    """The path or URL of a database of that revision, and the head of the audit trail in it."""

    def source():
        use(store)
        return f"{HEAD}{store.audit_verdict(STUDY).head}", store._database

    file = DUMPS / f"{revision}.{database_kind}.sql"
    cluster = lambda: request.getfixturevalue("postgresql")  # noqa: E731  # asked for where there is one
    place, said = schemas.thaw(file, TABLES, source, new_place, cluster)
    return place, ledger.Head.parse(said.removeprefix(HEAD))


@pytest.mark.parametrize("revision", REVISIONS)
def test_a_database_of_each_former_schema_is_brought_up_to_date_with_all_that_is_in_it(thawed):
    place, head = thawed
    with contextlib.closing(open_store(place)) as store:
        with store._database.read() as connection:
            assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []
        with store.reading() as reading:
            (subject,) = reading.subjects(STUDY)
            assert [group.values["I.PAIN"].value for group in reading.groups([subject.id])[subject.id]] == ["3", "3"]
            assert reading.find_answer("cl_1", "key1") == ANSWER
            assert reading.versions(STUDY) == (("MDV.1", "0" * 64),)
        assert store.audit_verdict(STUDY, expect=head).findings == ()
        with store.writing(actor=SOMEBODY, now=NOW + 1) as writing:
            put_diary(writing, subject, "3", "4")
        assert store.audit_verdict(STUDY, expect=head).head.sequence == head.sequence + 1


@pytest.mark.parametrize("revision", REVISIONS[-1:])
def test_a_database_of_a_later_schema_is_served_where_that_only_adds_and_else_refused(thawed):
    """What only adds is left to the newer program: neither is it taken back, nor is a table overlooked in a move."""
    place, head = thawed
    with contextlib.closing(open_database(place)) as opened:
        with opened.write() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
            connection.execute(sa.text("CREATE TABLE later (id INTEGER)"))
            connection.execute(sa.text("ALTER TABLE subject ADD COLUMN later TEXT"))
        with contextlib.closing(open_store(place)) as store:
            with store.writing(actor=SOMEBODY, now=NOW + 1) as writing:
                writing.take(STUDY)
                put_diary(writing, add_subject(writing, "second"), "1", "4")
            with store.reading() as reading:
                assert [subject.key for subject in reading.subjects(STUDY)] == ["first", "second"]
            assert store.audit_verdict(STUDY, expect=head).findings == ()
            with pytest.raises(Misuse, match="newer than this program"), store.alone():
                pass
        with opened.write() as connection:
            connection.execute(sa.text("UPDATE installation SET least_schema = '9999'"))
        with pytest.raises(Misuse, match="newer than this program"):
            open_store(place)
        with opened.read() as connection:
            assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"


def test_migrations_make_what_the_schema_says(new_place):
    with (
        contextlib.closing(open_database(new_place())) as migrated,
        contextlib.closing(open_database(new_place())) as direct,
    ):
        database.upgrade(migrated, TABLES.migrations)
        database.upgrade(migrated, TABLES.migrations)
        schema.metadata.create_all(direct.engine)
        assert schemas.described(migrated, TABLES) == schemas.described(direct, TABLES)
