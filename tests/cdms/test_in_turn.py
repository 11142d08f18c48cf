"""Calls that change little share a transaction, and are answered when it is durable or not at all."""

import asyncio
import contextlib
import threading

import pytest
import sqlalchemy as sa

from cdms.storage.conftest import NOW, SOMEBODY, STUDY, add_subject, store  # noqa: F401  # a fixture
from keyfob.cdms import in_turn
from keyfob.cdms.call import Call, Surroundings
from keyfob.cdms.handlers import item_groups
from keyfob.cdms.in_turn import InTurn
from keyfob.cdms.problems import ApiProblem
from keyfob.oauth.wire import Response


@pytest.fixture
def line(store):  # noqa: F811
    return Line(store)


class Line:
    """Calls that come at once, while the first is being done: the others share a transaction."""

    def __init__(self, opened):
        self.store = opened
        self.turns = InTurn(opened)
        self.commits = 0
        sa.event.listen(opened._database.engine, "commit", self._count)
        self.let_go, self.threads = threading.Event(), set()

    def _count(self, _connection):
        self.commits += 1

    def call(self, body=b""):
        around = Surroundings(self.store, None, None, b"", b"")
        return Call(around, None, None, {}, {}, (), body, NOW, "PUT /it")

    def first(self, _call):
        assert self.let_go.wait(60)
        return Response(200, (), b"first")

    def register(self, key, after=lambda _writing: None):
        def handler(_call):
            self.threads.add(threading.current_thread())
            with self.store.writing(actor=SOMEBODY, now=NOW) as writing:
                writing.take(STUDY)
                add_subject(writing, key)
                after(writing)
            return Response(201, (), key.encode())

        return handler

    async def answers(self, *handlers, cancel=()):
        first = asyncio.create_task(self.turns.answer(self.call(), self.first))
        await asyncio.sleep(0)
        tasks = [asyncio.create_task(self.turns.answer(self.call(), one)) for one in handlers]
        await asyncio.sleep(0)
        for place in cancel:
            tasks[place].cancel()
        self.let_go.set()
        await first
        return [
            one.body.decode() if isinstance(one, Response) else type(one).__name__
            for one in await asyncio.gather(*tasks, return_exceptions=True)
        ]

    def keys(self):
        with self.store.reading() as reading:
            return {subject.key for subject in reading.subjects(STUDY)} - {"first"}


@pytest.mark.on("sqlite")
def test_those_who_wait_share_one_thread_and_one_commit(line):
    keys = [f"k{number}" for number in range(10)]
    assert asyncio.run(line.answers(*(line.register(key) for key in keys))) == keys
    assert line.keys() == set(keys)
    assert (line.commits, len(line.threads)) == (1, 1)
    assert line.store.audit_verdict(STUDY).findings == ()


@pytest.mark.on("sqlite")
def test_who_is_refused_leaves_the_others_what_they_wrote(line):
    def refuse(_writing):
        raise ApiProblem(409, "no", "no")

    answers = line.answers(line.register("a"), line.register("b", refuse), line.register("c"))
    assert asyncio.run(answers) == ["a", "ApiProblem", "c"]
    assert line.keys() == {"a", "c"}
    assert line.store.audit_verdict(STUDY).findings == ()


@pytest.mark.on("sqlite")
def test_nobody_is_told_that_it_is_stored_when_it_is_not(line):
    def lose(writing):
        writing._connection.exec_driver_sql("ROLLBACK")  # as SQLite does by itself when a disk is full
        raise OSError

    answers = line.answers(line.register("a"), line.register("b", lose), line.register("c"))
    assert asyncio.run(answers) == ["OSError"] * 3
    assert line.keys() == set()


@pytest.mark.on("sqlite")
def test_who_has_left_keeps_nobody_from_his_answer(line):
    answers = line.answers(line.register("a"), line.register("b"), cancel=[0])
    assert asyncio.run(answers) == ["CancelledError", "b"]


def test_only_brief_calls_are_taken_and_only_where_one_writes_at_a_time(line, database_kind):
    is_one = database_kind == "sqlite"
    assert line.turns.takes(line.call(), item_groups.put_group) is is_one
    assert not line.turns.takes(line.call(), item_groups.get_group)
    assert not line.turns.takes(line.call(b" " * (in_turn._MAX_BODY + 1)), item_groups.put_group)


@pytest.mark.on("postgresql")
def test_where_writers_run_side_by_side_each_has_a_transaction_of_his_own(line):
    with contextlib.ExitStack() as block:
        block.enter_context(line.store.together())
        line.register("a")(line.call())
        assert line.keys() == {"a"}
