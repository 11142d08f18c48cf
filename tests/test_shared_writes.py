"""keyfob.shared_writes: one flush for many, and no writer's word for another's."""

import contextlib
import threading
import time

import pytest
import sqlalchemy as sa

from keyfob import database
from keyfob.shared_writes import MAX_RIDERS, SharedWrites


class ChangedItsMind(Exception):
    pass


class Writers:
    """Threads that write at once: all of them wait for the turn, which another process has, and then go on."""

    def __init__(self, path):
        self._path = path
        self.opened = database.open_sqlite(path)
        self.shared = SharedWrites(self.opened)
        with self.opened.write() as connection:
            connection.exec_driver_sql("CREATE TABLE one (number INTEGER PRIMARY KEY)")
            connection.exec_driver_sql(
                "CREATE TABLE many (number INTEGER REFERENCES one DEFERRABLE INITIALLY DEFERRED)"
            )
        self.commits = 0
        sa.event.listen(self.opened.engine, "commit", self._count)
        self.outcomes: dict[int, str] = {}

    def _count(self, _connection):
        self.commits += 1

    def run(self, count, write):
        threads = [threading.Thread(target=self._write, args=(number, write)) for number in range(count)]
        with contextlib.closing(database.open_sqlite(self._path)) as other, other.write():
            for thread in threads:
                thread.start()
            deadline = time.monotonic() + 60
            while self.shared.waiting < count - 1:
                assert time.monotonic() < deadline
                time.sleep(0.01)  # between two looks at the condition
        for thread in threads:
            thread.join(60)
        return self.outcomes

    def _write(self, number, write):
        try:
            with self.shared.write() as connection:
                write(connection, number)
        except Exception as failed:
            self.outcomes[number] = type(failed).__name__
        else:
            self.outcomes[number] = "durable"

    def numbers(self, table="one"):
        with self.opened.read() as connection:
            return set(connection.exec_driver_sql(f"SELECT number FROM {table}").scalars())


@pytest.fixture
def writers(tmp_path):
    made = Writers(tmp_path / "some.db")
    yield made
    made.opened.close()


def add(connection, number):
    connection.exec_driver_sql("INSERT INTO one VALUES (?)", (number,))


def test_who_writes_at_once_shares_one_flush(writers):
    assert writers.run(20, add) == dict.fromkeys(range(20), "durable")
    assert writers.numbers() == set(range(20))
    assert writers.commits == 1


def test_what_one_undoes_is_undone_for_him_alone(writers):
    def some_change_their_mind(connection, number):
        add(connection, number)
        if number % 3 == 0:
            raise ChangedItsMind

    outcomes = writers.run(10, some_change_their_mind)
    assert outcomes == {number: "durable" if number % 3 else "ChangedItsMind" for number in range(10)}
    assert writers.numbers() == {number for number in range(10) if number % 3}


def test_what_cannot_be_committed_is_told_to_all_who_shared_it(writers):
    def one_breaks_the_commit(connection, number):
        add(connection, number)
        if number == 4:
            connection.exec_driver_sql("INSERT INTO many VALUES (999)")

    assert writers.run(6, one_breaks_the_commit) == dict.fromkeys(range(6), "IntegrityError")
    assert writers.numbers() == set()
    assert writers.run(2, add) == {**dict.fromkeys(range(6), "IntegrityError"), 0: "durable", 1: "durable"}


def test_a_transaction_that_is_gone_is_told_to_all_who_shared_it(writers):
    def one_loses_it(connection, number):
        add(connection, number)
        if number == 3:
            connection.exec_driver_sql("ROLLBACK")  # as SQLite does by itself when a disk is full
            raise ChangedItsMind

    outcomes = writers.run(4, one_loses_it)
    assert set(outcomes.values()) <= {"ChangedItsMind", "durable"}
    assert writers.numbers() == {number for number, outcome in outcomes.items() if outcome == "durable"}


def test_not_more_than_so_many_share_one(writers):
    assert set(writers.run(80, add).values()) == {"durable"}
    assert 80 / MAX_RIDERS <= writers.commits <= 80
    assert writers.numbers() == set(range(80))
