"""Statements that are rendered once say the same as when the engine renders them, and hold no value."""

import contextlib

import pytest
import sqlalchemy as sa

from databases import (  # noqa: F401  # fixtures, and the hook that chooses
    database_kind,
    new_database_url,
    new_place,
    new_postgresql,
    open_database,
    postgresql,
    pytest_generate_tests,
)
from keyfob.prepared import Prepared
from keyfob.server.storage.schema import credential_observation, installation

METADATA = sa.MetaData()
MARK = sa.Table("mark", METADATA, sa.Column("name", sa.Text, primary_key=True), sa.Column("number", sa.Integer))


def test_a_value_in_a_prepared_statement_is_a_mistake():
    """It would be asked for with each execution, and come from nobody."""
    table = installation
    fixed = Prepared(sa.select(table.c.revision).where(table.c.id == 1))
    with pytest.raises(AssertionError):
        fixed._text("sqlite")


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_parameters_are_bound_by_name(dialect):
    table = credential_observation
    one = Prepared(sa.update(table).where(table.c.credential_id == sa.bindparam("id")).values(last_used_at=sa.null()))
    assert {"sqlite": ":id", "postgresql": "%(id)s"}[dialect] in one._text(dialect)


ADD = Prepared(sa.insert(MARK))
FIND = Prepared(sa.select(MARK.c.name, MARK.c.number.label("how_many")).where(MARK.c.name == sa.bindparam("wanted")))


@pytest.fixture
def connection(new_place):  # noqa: F811
    opened = open_database(new_place())
    with contextlib.closing(opened), opened.write() as connection:
        METADATA.create_all(connection)
        yield connection


def test_a_row_is_found_by_the_names_of_its_columns(connection):
    ADD.run(connection, {"name": "a", "number": 1})
    ADD.run(connection, [{"name": name, "number": 2} for name in "bc"])
    found = FIND.find(connection, {"wanted": "c"})
    assert (found.name, found.how_many) == ("c", 2)
    assert FIND.find(connection, {"wanted": "d"}) is None


def test_what_goes_wrong_below_the_engine_is_told_in_its_words_and_without_the_values(connection):
    ADD.run(connection, {"name": "a", "number": 1})
    with pytest.raises(sa.exc.IntegrityError) as told:
        ADD.run(connection, {"name": "a", "number": 718281828})
    assert "718281828" not in str(told.value)
