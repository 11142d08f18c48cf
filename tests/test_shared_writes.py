"""keyfob.shared_writes: one flush for many, and no writer's word for another's."""

import contextlib

import pytest
import sqlalchemy as sa

from keyfob import database
from keyfob.shared_writes import SharedWrites


class ChangedItsMind(Exception):
    pass


class Writers:
    def __init__(self, path):
        self.opened = database.open_sqlite(path)
        self.shared = SharedWrites(self.opened)
        with self.opened.write() as connection:
            connection.exec_driver_sql("CREATE TABLE one (number INTEGER PRIMARY KEY)")
            connection.exec_driver_sql(
                "CREATE TABLE many (number INTEGER REFERENCES one DEFERRABLE INITIALLY DEFERRED)"
            )
        self.commits = 0
        sa.event.listen(self.opened.engine, "commit", self._count)

    def _count(self, _connection):
        self.commits += 1

    def write(self, number, write):
        """What is known of it before the transaction ends."""
        try:
            with self.shared.write() as connection:
                write(connection, number)
        except Exception as failed:
            return type(failed).__name__
        return "written"

    def run(self, count, write):
        with self.shared.together():
            return [self.write(number, write) for number in range(count)]

    def numbers(self, table="one"):
        with self.opened.read() as connection:
            return set(connection.exec_driver_sql(f"SELECT number FROM {table}").scalars())


@pytest.fixture
def writers(tmp_path):
    made = Writers(tmp_path / "some.db")
    with contextlib.closing(made.opened):
        yield made


def add(connection, number):
    assert connection.exec_driver_sql("SELECT count(*) FROM one").scalar_one() <= number
    connection.exec_driver_sql("INSERT INTO one VALUES (?)", (number,))


def test_who_writes_together_shares_one_flush(writers):
    assert writers.run(20, add) == ["written"] * 20
    assert writers.numbers() == set(range(20))
    assert writers.commits == 1


def test_nobody_has_the_turn_before_somebody_writes(writers):
    with writers.shared.together():
        with writers.opened.write() as connection:
            add(connection, 1)
        assert writers.numbers() == {1}
    assert writers.commits == 1


def test_who_writes_alone_has_a_transaction_of_his_own(writers):
    assert [writers.write(number, add) for number in range(3)] == ["written"] * 3
    assert writers.commits == 3


def test_what_is_read_meanwhile_has_none_of_it(writers):
    with writers.shared.together():
        assert writers.write(1, add) == "written"
        assert writers.numbers() == set()
    assert writers.numbers() == {1}


def test_what_one_undoes_is_undone_for_him_alone(writers):
    def some_change_their_mind(connection, number):
        add(connection, number)
        if number % 3 == 0:
            raise ChangedItsMind

    outcomes = writers.run(10, some_change_their_mind)
    assert outcomes == ["written" if number % 3 else "ChangedItsMind" for number in range(10)]
    assert writers.numbers() == {number for number in range(10) if number % 3}


def test_what_cannot_be_committed_is_told_to_all_who_shared_it(writers):
    def one_breaks_the_commit(connection, number):
        add(connection, number)
        if number == 4:
            connection.exec_driver_sql("INSERT INTO many VALUES (999)")

    with pytest.raises(sa.exc.IntegrityError):
        writers.run(6, one_breaks_the_commit)
    assert writers.numbers() == set()
    assert writers.run(2, add) == ["written"] * 2
    assert writers.numbers() == {0, 1}


def test_a_transaction_that_is_gone_is_told_to_all_who_shared_it(writers):
    outcomes = []

    def one_loses_it(connection, number):
        add(connection, number)
        if number == 2:
            connection.exec_driver_sql("ROLLBACK")  # as SQLite does by itself when a disk is full
            raise ChangedItsMind

    with pytest.raises(ChangedItsMind), writers.shared.together():
        outcomes += [writers.write(number, one_loses_it) for number in range(5)]
    assert outcomes == ["written", "written", "ChangedItsMind", "ChangedItsMind", "ChangedItsMind"]
    assert writers.numbers() == set()
    assert writers.run(2, add) == ["written"] * 2


def test_what_goes_wrong_in_the_block_undoes_all_of_it(writers):
    def changes_its_mind():
        with writers.shared.together():
            writers.write(1, add)
            raise ChangedItsMind

    with pytest.raises(ChangedItsMind):
        changes_its_mind()
    assert writers.numbers() == set()
