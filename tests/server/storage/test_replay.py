"""keyfob.server.storage.replay: of many who present the same, exactly one is first, across processes."""

import subprocess
import sys

import pytest

from keyfob.server.storage import replay, schema

# All wait for one line, so that they come at once; each thread has a connection of its own.
ATTEMPTS = """
import threading
from keyfob.server.storage import replay

won = []
ready = threading.Barrier(26)

def attempt():
    ready.wait()
    with store._database.write() as connection:
        if replay.is_first(connection, "cl_1", "the same", expires_at=given.NOW + 60):
            won.append(1)

threads = [threading.Thread(target=attempt) for _ in range(25)]
for thread in threads:
    thread.start()
print("ready", flush=True)
sys.stdin.readline()
ready.wait()
for thread in threads:
    thread.join()
print(len(won))
"""


def test_of_fifty_attempts_in_two_processes_exactly_one_is_first(made, worker):
    command = [sys.executable, "-c", worker + ATTEMPTS, str(made.path)]
    others = [subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    for other in others:
        assert other.stdout.readline() == "ready\n"
    for other in others:
        other.stdin.write("go\n")
        other.stdin.flush()
    assert sum(int(other.communicate(timeout=120)[0]) for other in others) == 1


def first(made, jti, then=lambda: None):
    with made.store._database.write() as connection:
        found = replay.is_first(connection, "cl_1", jti, expires_at=made.now + 60)
        then()
        return found


def fail():
    raise RuntimeError


def test_what_was_not_committed_was_not_presented(made):
    with pytest.raises(RuntimeError):
        first(made, "a", then=fail)
    assert [first(made, "a"), first(made, "a"), first(made, "b")] == [True, False, True]
    with made.store._database.read() as connection:
        assert len(connection.execute(schema.presented_jti.select()).all()) == 2
