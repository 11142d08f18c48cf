"""Statements that are rendered once say the same as when the engine renders them, and hold no value."""

import pytest
import sqlalchemy as sa

from keyfob.prepared import Prepared
from keyfob.server.storage.schema import credential_observation, installation


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
