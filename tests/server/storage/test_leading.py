"""Of all processes that use a database one leads, and when it is killed another does, at once."""

import contextlib
import subprocess
import sys
import time

LEAD = """
lead = store.lead()
print(lead.is_mine(), flush=True)
for _ in sys.stdin:
    print(lead.is_mine(), flush=True)
"""


def until(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline


def test_one_leads_until_it_is_killed_and_then_another_does(made, worker):
    crowd = [
        subprocess.Popen(
            [sys.executable, "-c", worker + LEAD, str(made.path)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    try:
        said = [process.stdout.readline().strip() for process in crowd]
        assert sorted(said) == ["False", "False", "True"]
        assert not made.store.lead().is_mine()
        leader = crowd.pop(said.index("True"))
        leader.kill()
        leader.communicate()

        def leads(process):
            print(file=process.stdin, flush=True)
            return process.stdout.readline().strip() == "True"

        until(lambda: leads(crowd[0]))
        assert not leads(crowd[1])
        assert leads(crowd[0])
    finally:
        for process in crowd:
            process.kill()
            process.communicate()


def test_who_lets_go_leads_no_more_and_who_lost_its_connection_may_not_know_it_yet_but_does_not_lead(made):
    with contextlib.closing(made.open(made.path)) as other:
        first, second = made.store.lead(), other.lead()
        assert first.is_mine() and first.is_mine() and not second.is_mine()
        if made.store._database.has_many_writers:
            with other._database.write() as connection:
                ended = (
                    "SELECT pg_terminate_backend(l.pid) FROM pg_locks l JOIN pg_database d ON d.oid = l.database "
                    "WHERE l.locktype = 'advisory' AND l.classid = 27496 AND d.datname = current_database()"
                )
                assert connection.exec_driver_sql(ended).scalar_one() is True
            until(second.is_mine)
            assert not first.is_mine()
        first.close()
        until(second.is_mine)
        assert not first.is_mine()
        second.close()
