"""How the databases find what is asked for: what it costs grows with the answer, not with the study."""

import contextlib

import pytest
import sqlalchemy as sa

from cdms.storage.conftest import NOW, STUDY
from keyfob.cdms.storage import schema
from keyfob.cdms.storage.reading import Reading

RECORDS, SUBJECTS = 20_000, 500
WANTED = [f"sub_{number}" for number in range(7)]


@pytest.fixture
def plan_of(store):
    """The plan of what a question asks, in a study of many subjects and many records."""
    with store._database.write() as connection:
        blank = {"study": STUDY, "at": NOW, "salt": b"", "payload": b"{}", "commitment": b"", "link": b""}
        rows = [{**blank, "seq": 1000 + n, "subject": f"sub_{n % SUBJECTS}"} for n in range(RECORDS)]
        connection.execute(sa.insert(schema.audit), rows)
    if store._database.has_many_writers:  # it looks at its tables by itself, a moment later
        with store._database.write() as connection:
            connection.exec_driver_sql("ANALYZE audit")

    def ask(question):
        asked = []
        with store._database.read() as connection, contextlib.ExitStack() as ending:
            noted = (connection.engine, "before_cursor_execute", lambda *told: asked.append(told[2:4]))
            sa.event.listen(*noted)
            ending.callback(sa.event.remove, *noted)
            found = question(Reading(connection))
            ((statement, parameters),) = asked
            explain = "EXPLAIN QUERY PLAN " if connection.dialect.name == "sqlite" else "EXPLAIN "
            return found, "\n".join(str(row[-1]) for row in connection.exec_driver_sql(explain + statement, parameters))

    return ask


def test_the_past_of_a_few_subjects_is_read_without_that_of_the_others(plan_of):
    found, plan = plan_of(lambda reading: list(reading.history(STUDY, after=1100, subjects=WANTED)))
    assert {one.sequence % SUBJECTS for one in found} == set(range(7))
    assert len(found) == len(WANTED) * (RECORDS // SUBJECTS) - 7
    assert "ix_audit_subject" in plan
    assert "Seq Scan" not in plan
    assert "SCAN" not in plan


def test_a_page_of_one_subjects_records_is_read_without_those_of_the_others(plan_of):
    found, plan = plan_of(lambda reading: list(reading.audit(STUDY, after=1100, subjects=WANTED[:1], limit=10)))
    assert [one.sequence for one in found] == [1500 + SUBJECTS * number for number in range(10)]
    assert "ix_audit_subject" in plan


def test_the_design_that_was_live_is_found_without_the_subjects_records(plan_of):
    found, plan = plan_of(lambda reading: reading.live_version(STUDY, at=20_000))
    assert found == "MDV.1"
    assert "ix_audit_subject" in plan


def test_all_records_are_read_in_the_order_in_which_they_came(plan_of):
    found, plan = plan_of(lambda reading: sum(1 for _ in reading.audit(STUDY, after=1000)))
    assert found == RECORDS - 1
    assert "ix_audit_subject" not in plan
    assert "TEMP B-TREE" not in plan
