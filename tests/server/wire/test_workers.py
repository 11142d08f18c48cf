"""Several workers of one server, and a PostgreSQL that goes away and comes back: what was acknowledged is on record."""

import os
import signal
import subprocess

import pytest

pytestmark = [pytest.mark.skipif(os.name != "posix", reason="fork"), pytest.mark.on("sqlite", "postgresql")]


def workers_of(process):
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process.pid)], capture_output=True, text=True)
    return {int(pid) for pid in listed.stdout.split()}


def granted(answers):
    return {request_id for status, request_id in answers if status == 200}


def recorded(operator):
    return [record["request_id"] for record in operator.audit(100_000) if record["kind"] == "token_issued"]


def test_every_grant_of_two_workers_is_on_record_once_also_when_one_is_killed(
    new_operator, under_load, until, monkeypatch
):
    monkeypatch.setenv("KEYFOB_LIMITS_TOKENS_PER_CLIENT_PER_MINUTE", "0")
    operator = new_operator()
    info = operator.client("busy")
    process = operator.serve("--workers", "2")
    with under_load(operator, info) as answers:
        until(lambda: len(granted(answers)) > 40)
        victim = min(workers_of(process))
        os.kill(victim, signal.SIGKILL)
        seen = len(granted(answers))
        until(lambda: len(granted(answers)) > seen + 40)
        until(lambda: len(workers_of(process) - {victim}) == 2)
    assert {status for status, _ in answers} == {200}
    operator.stop()
    found = recorded(operator)
    assert granted(answers) <= set(found)
    assert len(found) == len(set(found))
    assert operator.run("audit", "verify")["whole"] is True


def test_what_is_changed_holds_at_every_worker_from_the_next_request_on(new_operator):
    operator = new_operator()
    info = operator.client("suspended")
    operator.serve("--workers", "2")
    assert {operator.token(info, scope="studies:read").status for _ in range(8)} == {200}
    operator.run("client", "suspend", info.client_id)
    assert {operator.token(info, scope="studies:read").status for _ in range(8)} == {401}
    operator.run("client", "resume", info.client_id)
    assert {operator.token(info, scope="studies:read").status for _ in range(8)} == {200}
