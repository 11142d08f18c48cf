"""The way to the newest schema ends at the newest schema, on each database."""

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

import schemas
from keyfob import database
from keyfob.problem import Misuse
from keyfob.server.storage import schema


@pytest.fixture
def migrated(new_place, open_database):
    made = open_database(new_place())
    database.upgrade(made, schema.TABLES.migrations)
    yield made
    made.close()


def test_migrations_lead_to_the_schema(migrated):
    with migrated.read() as connection:
        assert compare_metadata(MigrationContext.configure(connection), schema.metadata) == []


def test_migrations_make_the_same_constraints(migrated, new_place, open_database):
    """What alembic does not compare: checks, partial indexes and their words."""
    direct = open_database(new_place())
    schema.metadata.create_all(direct.engine)
    assert schemas.described(migrated, schema.TABLES) == schemas.described(direct, schema.TABLES)
    direct.close()


def test_a_second_upgrade_changes_nothing(migrated):
    database.upgrade(migrated, schema.TABLES.migrations)


def test_a_schema_from_the_future_is_refused(migrated):
    with migrated.write() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Misuse, match="newer than this program"):
        database.upgrade(migrated, schema.TABLES.migrations)
