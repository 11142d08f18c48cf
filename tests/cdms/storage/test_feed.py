"""The change feed, while writers in several processes write, change their minds and are killed, and a reader polls."""

import json
import os
import signal
import subprocess
import threading
import time

import pytest
import sqlalchemy as sa

from cdms.storage.conftest import STUDY

WRITERS = 8
KILLED = ("killed1", "killed2")
VALUES = 12
# Forks of one process that has imported the program: each opens the store for itself, and says what it has committed.
WRITE = f"""
import itertools, os
def say(*words):  # in one piece: they share a pipe
    os.write(1, " ".join(map(str, words)).encode() + b"\\n")
store.close()
children = []
for name in sys.argv[2:]:
    children.append(os.fork())
    if children[-1] == 0:
        break
else:
    ended = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    say("ended", *ended)
    sys.exit()
store = given.open_store(sys.argv[1])
with store.writing(actor=given.SOMEBODY, now=given.NOW) as writing:
    writing.take(given.STUDY)
    subject = given.add_subject(writing, name)
class ChangedItsMind(Exception): ...
say("began", name, os.getpid())
for number in itertools.count(1):
    try:
        with store.writing(actor=given.SOMEBODY, now=given.NOW + number) as writing:
            given.put_diary(writing, subject, str(number), "3")
            if number % 5 == 0:
                raise ChangedItsMind
    except ChangedItsMind:
        continue
    say("wrote", f"{{name}}/{{number}}")
    if number == {VALUES} and name not in {KILLED}:
        break
store.close()
os._exit(0)
"""


def place_of(entry):
    event = json.loads(entry.payload)
    return None if event["action"] != "insert" else f"{event['subject_id'][4:]}/{event['place']['event_repeat']}"


def test_every_change_is_fed_once_in_order_and_none_is_lost(store, worker):
    """A reader that has seen a number has seen all before it: also those whose writer committed later or was killed."""
    names = [*KILLED, *(f"w{number}" for number in range(WRITERS - len(KILLED)))]
    writers = subprocess.Popen(worker(store, WRITE, *names), stdout=subprocess.PIPE, text=True)
    said: dict[str, list[str]] = {"began": [], "wrote": [], "ended": []}

    def listen():
        pids = {}
        for line in writers.stdout:
            word, *rest = line.split()
            said[word] += rest
            if word == "began":
                pids[rest[0]] = int(rest[1])
            name, _, number = rest[0].partition("/")
            if word == "wrote" and name in KILLED and number == str(VALUES // 2):
                os.kill(pids[name], signal.SIGKILL)  # in the middle of whatever it does just then

    listener = threading.Thread(target=listen)
    listener.start()
    fed, after = [], 0

    def poll():
        nonlocal after
        with store.reading() as reading:
            page = list(reading.audit(STUDY, after=after, limit=7))
            assert not page or page[-1].sequence <= reading.find_study(oid=STUDY).seq
        fed.extend(page)
        after = page[-1].sequence if page else after
        return page

    deadline = time.monotonic() + 120
    while writers.poll() is None:
        assert time.monotonic() < deadline
        poll()
    while poll():
        pass
    listener.join()
    writers.stdout.close()
    assert said["ended"] == ["-9"] * len(KILLED) + ["0"] * (WRITERS - len(KILLED))
    assert [entry.sequence for entry in fed] == list(range(1, len(fed) + 1))
    places = [place for entry in fed if (place := place_of(entry)) is not None]
    assert len(places) == len(set(places))
    assert set(said["wrote"]) <= set(places)
    untold = {place.partition("/")[0] for place in set(places) - set(said["wrote"])}
    assert untold <= set(KILLED), "only who was killed may have committed without saying so"
    assert len(set(places) - set(said["wrote"])) <= len(KILLED)
    assert store.audit_verdict(STUDY).findings == ()


@pytest.mark.on("postgresql")
def test_a_bare_sequence_would_lose_changes_but_the_studys_row_is_waited_for(store, worker):
    """CDMS: who takes a number first commits first."""
    script = """
with store.writing(actor=given.SOMEBODY, now=given.NOW) as writing:
    writing.take(given.STUDY)
    print("taken", flush=True)
    sys.stdin.readline()
    given.add_subject(writing, "earlier")
"""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    first = subprocess.Popen(worker(store, script), **pipes)
    assert first.stdout.readline() == "taken\n"
    second = subprocess.Popen(worker(store, script.replace("earlier", "later")), **pipes)
    waiting = sa.text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    deadline = time.monotonic() + 60
    while not store._database.scalar(waiting):
        assert time.monotonic() < deadline
    first.communicate("go\n", timeout=60)
    second.communicate("go\n", timeout=60)
    with store.reading() as reading:
        registered = [entry for entry in reading.audit(STUDY, after=0) if b'"register"' in entry.payload]
    assert [b'"later"' in entry.payload for entry in registered] == [False, False, True]
