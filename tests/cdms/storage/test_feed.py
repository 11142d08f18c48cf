"""The change feed, while writers in several processes write, change their minds and are killed, and a reader polls."""

import json
import subprocess
import time

import pytest
import sqlalchemy as sa

from cdms.storage.conftest import STUDY

WRITERS = 4
VALUES = 23
WRITE = f"""
import itertools
name = sys.argv[2]
with store.writing(actor=given.SOMEBODY, now=given.NOW) as writing:
    writing.take(given.STUDY)
    subject = given.add_subject(writing, name)
class ChangedItsMind(Exception): ...
print("ready", flush=True)
sys.stdin.readline()
for number in itertools.count(1):
    try:
        with store.writing(actor=given.SOMEBODY, now=given.NOW + number) as writing:
            given.put_diary(writing, subject, str(number), "3")
            if number % 5 == 0:
                raise ChangedItsMind
    except ChangedItsMind:
        continue
    print(f"{{name}}/{{number}}", flush=True)
    if number == {VALUES} and name != "killed":
        break
"""


def place_of(entry):
    event = json.loads(entry.payload)
    return None if event["action"] != "insert" else f"{event['subject_id'][4:]}/{event['place']['event_repeat']}"


def test_every_change_is_fed_once_in_order_and_none_is_lost(store, worker):
    """A reader that has seen a number has seen all before it: also those whose writer committed later or was killed."""
    names = [*(f"w{number}" for number in range(WRITERS - 1)), "killed"]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    writers = [subprocess.Popen(worker(store, WRITE, name), **pipes) for name in names]
    assert [writer.stdout.readline() for writer in writers] == ["ready\n"] * WRITERS
    for writer in writers:
        writer.stdin.write("go\n")
        writer.stdin.close()
    fed, after = [], 0

    def poll():
        nonlocal after
        with store.reading() as reading:
            page = list(reading.audit(STUDY, after=after, limit=7))
            assert not page or page[-1].sequence <= reading.find_study(oid=STUDY).seq
        fed.extend(page)
        after = page[-1].sequence if page else after
        return page

    killed = writers[-1]
    seen = [killed.stdout.readline().strip() for _ in range(10)]
    killed.kill()
    deadline = time.monotonic() + 120
    while any(writer.poll() is None for writer in writers):
        assert time.monotonic() < deadline
        poll()
    while poll():
        pass
    for writer in writers:
        seen += writer.stdout.read().split()
        writer.stdout.close()
    assert [writer.returncode for writer in writers[:-1]] == [0] * (WRITERS - 1)
    assert [entry.sequence for entry in fed] == list(range(1, len(fed) + 1))
    places = [place for entry in fed if (place := place_of(entry)) is not None]
    assert len(places) == len(set(places))
    assert set(seen) <= set(places)
    assert len(set(places) - set(seen)) <= 1, "the one whose writer was killed between its commit and saying so"
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
