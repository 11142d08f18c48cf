"""What a client presents once works once: of many who present the same, one wins, across processes."""

import subprocess
import sys
from dataclasses import replace

import pytest

from keyfob.server.storage.records import SingleUse, Used

# All wait for one line, so that they come at once; each thread has a connection of its own.
ATTEMPTS = """
import threading
from keyfob.server.storage.records import SingleUse, Used

won, ready = [], threading.Barrier(26)
same = SingleUse(Used.ASSERTION, "the same", given.NOW + 60)

def attempt(number):
    grant = given.grant(f"{sys.argv[2]}-{number}", single_uses=(same,))
    ready.wait()
    if not store.record_grants([grant], given.NOW):
        won.append(number)

threads = [threading.Thread(target=attempt, args=(number,)) for number in range(25)]
for thread in threads:
    thread.start()
print("ready", flush=True)
sys.stdin.readline()
ready.wait()
for thread in threads:
    thread.join()
print(len(won))
"""


def test_of_fifty_attempts_in_two_processes_exactly_one_has_a_token(made, worker):
    commands = [[sys.executable, "-c", worker + ATTEMPTS, str(made.path), name] for name in ("one", "two")]
    pipe = subprocess.PIPE
    others = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for command in commands]
    for other in others:
        assert other.stdout.readline() == "ready\n"
    for other in others:
        other.stdin.write("go\n")
        other.stdin.flush()
    assert sum(int(other.communicate(timeout=120)[0]) for other in others) == 1
    assert made.store.audit_verdict().findings == ()
    assert [b"token_issued" in record.payload for record in made.store.audit_tail(1000)].count(True) == 1


def presenting(made, number, *names, until=60, what=Used.ASSERTION):
    return made.grant(number, single_uses=tuple(SingleUse(what, name, made.now + until) for name in names))


def test_who_comes_second_is_named_by_its_place_and_the_others_have_theirs(made):
    assert made.store.record_grants([presenting(made, 1, "a")], made.now) == {}
    batch = [presenting(made, 2, "b"), presenting(made, 3, "a"), made.grant(4), presenting(made, 5, "b")]
    assert made.store.record_grants(batch, made.now) == {1: Used.ASSERTION, 3: Used.ASSERTION}
    issued = [record.payload for record in made.store.audit_tail(1000) if b"token_issued" in record.payload]
    assert [next(n for n in "12345" if f"jti{n}".encode() in payload) for payload in issued] == ["1", "2", "4"]


def test_what_was_not_committed_was_not_presented(made):
    broken = replace(presenting(made, 1, "a"), scope=frozenset({1, "b"}))  # it cannot be sorted: the batch is lost
    with pytest.raises(TypeError):
        made.store.record_grants([broken], made.now)
    assert made.store.record_grants([presenting(made, 2, "a")], made.now) == {}


def test_a_name_is_free_again_when_its_time_is_over(made):
    made.store.record_grants([presenting(made, 1, "a", until=60)], made.now)
    assert made.store.record_grants([presenting(made, 2, "a", until=120)], made.now + 60) == {0: Used.ASSERTION}
    assert made.store.record_grants([presenting(made, 3, "a", until=120)], made.now + 61) == {}


@pytest.mark.parametrize("name", ["\x00", "\ud800", "\\", "é", "\U0001f511", "'; DROP TABLE client; --"])
def test_any_character_may_stand_in_a_name(made, name):
    """One client's must not be the end of a batch that is others' too."""
    assert made.store.record_grants([presenting(made, 1, name), made.grant(2)], made.now) == {}
    assert made.store.record_grants([presenting(made, 3, name)], made.now) == {0: Used.ASSERTION}
