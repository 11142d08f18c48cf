"""From every schema that there ever was to the newest, on both databases, with what was in it: see tests/schemas.py."""

import contextlib
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import schemas
from keyfob.problem import Misuse
from keyfob.server.audit.chain import Heads
from keyfob.server.audit.events import Kind
from keyfob.server.storage import schema
from keyfob.server.storage.records import Purpose, SigningKeyRecord, State

DUMPS = Path(__file__).parent / "dumps"
REVISIONS = schemas.revisions(schema.TABLES)
HEAD = "the head of its audit trail: "


def use(made):
    """Something in every table that the first schema had."""
    key = SigningKeyRecord("kid1", Purpose.ACCESS_TOKENS, "ES256", State.ACTIVE, "{}", b"\x00sealed\xff", 1, 1)
    with made.store.change(now=made.now, actor="operator:test") as change:
        change.add_signing_key(key)
        change.record(Kind.SIGNING_KEY_CREATED, kid="kid1")
    made.store.record_grants([made.grant(number) for number in range(3)], made.now + 5)


@pytest.fixture
def thawed(request, database_kind, new_place, made, revision):
    """The path or URL of a database of that revision, and the head of the audit trail in it."""

    def source():
        use(made)
        return f"{HEAD}{made.store.audit_head()}", made.store._database

    file = DUMPS / f"{revision}.{database_kind}.sql"
    cluster = lambda: request.getfixturevalue("postgresql")  # noqa: E731  # asked for where there is one
    place, said = schemas.thaw(file, schema.TABLES, source, new_place, cluster)
    return place, said.removeprefix(HEAD)


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
def test_a_database_of_a_later_schema_is_served_where_that_only_adds_and_else_refused(thawed, made, open_database):
    """What only adds is left to the newer program: neither is it taken back, nor is a table overlooked in a move."""
    place, _ = thawed
    with contextlib.closing(open_database(place)) as opened:
        with opened.write() as connection:
            connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
            connection.execute(sa.text("CREATE TABLE later (id INTEGER)"))
        with contextlib.closing(made.open(place)) as store:
            store.record_grants([made.grant("new")], made.now + 9)
            with pytest.raises(Misuse, match="newer than this program"), store.alone():
                pass
            with pytest.raises(Misuse, match="newer than this program"), store.change_alone(now=1, actor="x"):
                pass
        with opened.write() as connection:
            connection.execute(sa.text("UPDATE installation SET least_schema = '9999'"))
        with pytest.raises(Misuse, match="newer than this program"):
            made.open(place)
        with opened.read() as connection:
            assert connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"
