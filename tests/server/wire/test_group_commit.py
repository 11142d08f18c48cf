"""keyfob.group_commit: evidence is durable or nothing leaves; what is only useful never holds anybody up."""

import asyncio
import threading

import pytest

from keyfob import group_commit
from keyfob.group_commit import GroupCommit, NoteBook, Unavailable


def test_requests_that_wait_share_one_commit():
    batches = []
    gate = threading.Event()

    def write(batch):
        gate.wait(10)
        batches.append(list(batch))
        return {}

    async def many():
        commits: GroupCommit[int] = GroupCommit(write)
        waiting = [asyncio.create_task(commits.append(number)) for number in range(50)]
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(*waiting)
        await commits.close()

    asyncio.run(many())
    assert sorted(number for batch in batches for number in batch) == list(range(50))
    assert len(batches) <= 2


def written_in(monkeypatch, first, then, *, gather):
    """The batches in which so many come, who come at once, and after them so many others, one in each turn."""
    batches = []

    async def some():
        commits: GroupCommit[int] = GroupCommit(lambda batch: batches.append(list(batch)) or {})
        await asyncio.gather(*(commits.append(number) for number in range(first)))
        waiting = []
        for number in range(then):
            waiting.append(asyncio.create_task(commits.append(number)))
            await asyncio.sleep(0)
        await asyncio.gather(*waiting)
        await commits.close()

    monkeypatch.setattr(group_commit, "GATHER", gather)
    asyncio.run(some())
    return [len(batch) for batch in batches]


def test_as_many_as_came_together_last_time_are_waited_for_and_flushed_at_once(monkeypatch):
    assert written_in(monkeypatch, 3, 3, gather=60) == [3, 3]


def test_who_comes_alone_after_many_waits_a_moment_and_no_longer(monkeypatch):
    assert written_in(monkeypatch, 3, 1, gather=0.001) == [3, 1]


def test_who_always_comes_alone_waits_for_nobody(monkeypatch):
    assert written_in(monkeypatch, 1, 1, gather=60) == [1, 1]


def test_a_batch_that_fails_fails_each_of_its_requests_and_the_next_one_is_tried():
    broken = [OSError("the disk is gone"), None]

    def write(_batch):
        if (failed := broken.pop(0)) is not None:
            raise failed
        return {}

    async def two():
        commits: GroupCommit[int] = GroupCommit(write)
        refused = await asyncio.gather(commits.append(1), commits.append(2), return_exceptions=True)
        await commits.append(3)
        await commits.close()
        return refused

    assert [type(one) for one in asyncio.run(two())] == [Unavailable, Unavailable]


def test_who_waits_too_long_is_told_and_is_not_recorded_afterwards(monkeypatch):
    monkeypatch.setattr(group_commit, "PATIENCE", 0.05)
    written = []
    gate = threading.Event()

    def write(batch):
        gate.wait(10)
        written.extend(batch)
        return {}

    async def late():
        commits: GroupCommit[int] = GroupCommit(write)
        first = asyncio.create_task(commits.append(1))
        await asyncio.sleep(0)
        second = asyncio.create_task(commits.append(2))
        outcomes = await asyncio.gather(first, second, return_exceptions=True)
        gate.set()
        await commits.close()
        return outcomes

    assert [type(one) for one in asyncio.run(late())] == [Unavailable, Unavailable]
    # The first was being written when it gave up; the second had not begun, and its token never left.
    assert written == [1]


def test_one_of_a_batch_may_be_refused_and_the_others_are_written():
    class Refused(Exception): ...

    async def three():
        commits: GroupCommit[int] = GroupCommit(lambda batch: {batch.index(2): Refused()} if 2 in batch else {})
        answers = await asyncio.gather(*(commits.append(number) for number in (1, 2, 3)), return_exceptions=True)
        await commits.check()
        await commits.close()
        return answers

    first, second, third = asyncio.run(three())
    assert (first, third) == (None, None)
    assert isinstance(second, Refused)


def test_too_many_that_wait_are_refused_at_once(monkeypatch):
    monkeypatch.setattr(group_commit, "MAX_WAITING", 1)
    gate = threading.Event()

    def write(_batch):
        gate.wait(10)
        return {}

    async def crowd():
        commits: GroupCommit[int] = GroupCommit(write)
        first = asyncio.create_task(commits.append(1))
        await asyncio.sleep(0)
        with pytest.raises(Unavailable):
            await commits.append(2)
        gate.set()
        await first
        await commits.close()

    asyncio.run(crowd())


def test_notes_are_written_together_dropped_when_too_many_and_flushed_at_the_end(monkeypatch):
    monkeypatch.setattr(group_commit, "MAX_NOTES", 3)
    written = []

    async def book():
        notes: NoteBook[int] = NoteBook(written.append)
        for number in range(5):
            notes.note(number)
        await notes.close()

    asyncio.run(book())
    assert [list(batch) for batch in written] == [[0, 1, 2]]


def test_notes_that_cannot_be_written_disturb_nobody(monkeypatch):
    monkeypatch.setattr(group_commit, "NOTE_EVERY", 0.01)
    tried = asyncio.Event()

    async def book():
        loop = asyncio.get_running_loop()

        def write(_batch):
            loop.call_soon_threadsafe(tried.set)
            raise OSError("the disk is full")

        notes: NoteBook[int] = NoteBook(write)
        notes.note(1)
        await asyncio.wait_for(tried.wait(), 10)
        await notes.close()

    asyncio.run(book())
