"""Used proofs that several processes share: one of them wins, whoever it is."""

import asyncio
import multiprocessing
import os
import sqlite3
from collections import Counter

import pytest

from keyfob.guard import FileReplays, Guard, IssuerUnavailable
from keyfob.problem import Misuse

NOW = 1_000_000


def use(replays, name, *, until, now):
    return asyncio.run(replays.use(name, until=until, now=now))


def _use(path, names, barrier, results) -> None:
    replays = FileReplays(path)
    barrier.wait()
    results.put([name for name in names if use(replays, name, until=NOW + 60, now=NOW)])


def test_of_fifty_attempts_by_two_processes_one_wins_for_each_proof(tmp_path):
    context = multiprocessing.get_context("spawn")
    names = [str(number) for number in range(50)]
    barrier, results = context.Barrier(2), context.Queue()
    processes = [context.Process(target=_use, args=(tmp_path / "used", names, barrier, results)) for _ in range(2)]
    for process in processes:
        process.start()
    won = Counter(name for _ in processes for name in results.get())
    for process in processes:
        process.join()
    assert won == dict.fromkeys(names, 1)


def test_a_process_that_was_forked_shares_the_memory_and_not_the_connection(tmp_path):
    replays = FileReplays(tmp_path / "used")
    assert use(replays, "a", until=NOW + 60, now=NOW)
    child = os.fork()
    if child == 0:
        fresh = use(replays, "b", until=NOW + 60, now=NOW) and not use(replays, "a", until=NOW + 60, now=NOW)
        os._exit(0 if fresh else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert not use(replays, "b", until=NOW + 60, now=NOW)


def test_a_proof_is_forgotten_when_it_could_not_work_any_more(tmp_path):
    replays = FileReplays(tmp_path / "used")
    assert use(replays, "a", until=NOW + 60, now=NOW)
    assert not use(replays, "a", until=NOW + 60, now=NOW + 59)
    assert use(replays, "b", until=NOW + 200, now=NOW + 60)
    with sqlite3.connect(tmp_path / "used") as database:
        assert database.execute("SELECT name FROM used").fetchall() == [("b",)]
    assert (tmp_path / "used").stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_looked_up_admits_nobody(tmp_path):
    """RFC 9449 §11.1: the guard answers 503, and never takes the proof for a new one."""
    replays = FileReplays(tmp_path / "used")
    with sqlite3.connect(tmp_path / "used") as database:
        database.execute("DROP TABLE used")
    with pytest.raises(IssuerUnavailable):
        use(replays, "a", until=NOW + 60, now=NOW)


def test_a_file_that_cannot_keep_proofs_is_refused_at_start(tmp_path):
    (tmp_path / "text").write_text("something else, long enough to be no header of a database at all\n" * 20)
    for path in (tmp_path / "text", tmp_path / "no" / "folder", tmp_path):
        with pytest.raises(Misuse) as refused:
            FileReplays(path)
        assert str(path) in refused.value.message


def test_several_processes_without_a_shared_memory_do_not_start(monkeypatch, tmp_path):
    monkeypatch.setenv("WEB_CONCURRENCY", "2")
    with pytest.raises(Misuse) as refused:
        Guard.discover("https://auth.example", audience="https://api.example")
    assert "FileReplays" in (refused.value.hint or "")
    Guard.discover("https://auth.example", audience="https://api.example", replays=FileReplays(tmp_path / "used"))
    monkeypatch.setenv("WEB_CONCURRENCY", "1")
    Guard.discover("https://auth.example", audience="https://api.example")
