"""keyfob.turn: one at a time, between threads and processes, and nobody waits longer than it wants to."""

import subprocess
import sys
import threading

import pytest

from keyfob.problem import Problem
from keyfob.turn import Turn

HOLD = "import sys; from pathlib import Path; from keyfob.turn import Turn\nwith Turn(Path(sys.argv[1])).taken(): "
SOON = 0.05


@pytest.fixture
def path(tmp_path):
    return tmp_path / "x.lock"


@pytest.fixture
def another(path):
    """Another process that has the turn."""
    code = HOLD + "print('has it', flush=True); sys.stdin.read()"
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout.readline() == "has it\n"
    yield process
    process.kill()
    process.communicate()


def waiters():
    return [thread for thread in threading.enumerate() if thread.daemon and "_lock" in thread.name]


def test_a_turn_that_does_not_come_is_refused_and_leaves_one_waiter_behind_at_most(path, another):
    turn = Turn(path)
    for _ in range(5):
        with pytest.raises(Problem, match="has held") as refused, turn.taken(SOON):
            raise AssertionError("two have the turn")
        assert refused.value.code == "database-busy"
    assert len(waiters()) == 1


def test_a_turn_comes_when_the_one_who_had_it_is_killed(path, another):
    turn = Turn(path)
    with pytest.raises(Problem), turn.taken(SOON):
        pass
    another.kill()
    with turn.taken(30):
        pass
    with turn.taken():
        pass
    for given_up in waiters():
        given_up.join(30)  # it let its turn go, and has to end
    assert not waiters()


def test_the_turn_is_had_by_who_waited_for_it(path, another):
    """The thread that waited is gone, and its lock stays with the one that it waited for."""
    turn, had, done = Turn(path), threading.Event(), threading.Event()

    def wait():
        with turn.taken(30):
            had.set()
            done.wait(30)

    waiting = threading.Thread(target=wait)
    waiting.start()
    another.kill()
    assert had.wait(30)
    with pytest.raises(Problem), Turn(path).taken(SOON):
        raise AssertionError("two have the turn")
    done.set()
    waiting.join()
    with Turn(path).taken(30):
        pass


def test_a_thread_waits_for_another_no_longer_than_it_wants_to(path):
    turn, refused = Turn(path), []

    def impatient():
        with pytest.raises(Problem) as busy, turn.taken(SOON):
            pass
        refused.append(busy.value.code)

    with turn.taken():
        thread = threading.Thread(target=impatient)
        thread.start()
        thread.join()
    assert refused == ["database-busy"]


def test_the_lock_file_is_its_owners_alone(path):
    with Turn(path).taken():
        assert path.stat().st_mode & 0o077 == 0
