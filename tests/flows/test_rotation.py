"""A partner rotates alone, its programs running; and what is left when it is killed at any step."""

import json
import signal
import time
from pathlib import Path

import pytest

from flows.conftest import ENTRY, OVERLAP, RESOURCE
from keyfob.ambient import system_clock

# An instance of the partner's software: it asks for tokens without end, until its standard input is closed.
INSTANCE = f"""
import json, select, sys
from keyfob.partner import open_authorizer
source = open_authorizer().source
answers, failures, used, held = 0, [], [], None
print("started", flush=True)
while not select.select([sys.stdin], [], [], 0.02)[0]:
    try:
        held = source.token(frozenset({{"studies:read"}}), resource={RESOURCE!r}, refused=held)
    except Exception as failed:
        failures.append(repr(failed))
    else:
        answers += 1
        if not used or used[-1] != held.credential_id:
            used.append(held.credential_id)
print(json.dumps({{"answers": answers, "failures": failures, "used": used}}))
"""


def started(vault):
    process = vault.start(entry=INSTANCE)
    assert process.stdout.readline() == "started\n"
    return process


def ended(process):
    out, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return json.loads(out)


def await_time(at):
    while system_clock() < at:
        time.sleep(0.05)  # between two looks at the condition


def test_three_instances_with_vaults_of_their_own_go_on_without_one_failed_request(stage):
    client_id, old, vaults = stage.vaults("steady", 3)
    instances = [started(vault) for vault in vaults]
    first = vaults[0].rotate()
    assert first["replaced"] == old.credential_id
    (still,) = first["still_working"]
    assert (still["credential_id"], still["last_used_from"]) == (old.credential_id, "127.0.0.1")
    assert still["until"] >= system_clock()
    assert still["last_used_at"] is not None
    # The others go on with the old secret meanwhile, and come later to the same new one.
    others = [vault.start("rotate", "--private-key", vault.private_key, "--json") for vault in vaults[1:]]
    told = [json.loads(process.communicate(timeout=60)[0]) for process in others]
    assert [one["credential_id"] for one in told] == [first["credential_id"]] * 2
    shown = stage.credentials(client_id)
    assert [one["state"] for one in shown] == ["retiring", "active"]
    assert all(one["last_used_at"] and one["last_used_from"] == "127.0.0.1" for one in shown)
    assert shown[0]["overlap_ends_at"] - shown[1]["first_used_at"] == OVERLAP
    await_time(shown[0]["overlap_ends_at"] + 1)
    assert stage.operator.token(old, scope="studies:read").status == 401, "the old one died on time"
    for seen in map(ended, instances):
        assert seen["failures"] == []
        assert seen["answers"] > 10
        assert seen["used"] == [old.credential_id, first["credential_id"]]

    def refused():
        audit = stage.operator.audit()
        return [one for one in audit if one["kind"] == "token_refused" and one["client_id"] == client_id]

    # Refusals are written a moment after they were answered.
    deadline = system_clock() + 30
    while not refused():
        assert system_clock() < deadline
    assert len(refused()) == 1, "only the one that the test itself asked for with the old secret"


def test_the_overlap_is_ended_by_the_new_secret_alone(stage):
    client_id, old, (one, other) = stage.vaults("ended", 2)
    one.rotate()
    refused = other.rotate("--finish", status=1)
    assert refused["error"] == "wrong_credential"
    assert "keyfob rotate" in refused["hint"]
    assert other.works()
    assert one.rotate("--finish") == {"retired": [old.credential_id]}
    assert stage.operator.token(old, scope="studies:read").status == 401
    assert one.works()
    assert not other.works()
    assert one.rotate("--finish", status=1)["error"] == "no_overlap"
    assert [found["state"] for found in stage.credentials(client_id)] == ["retired", "active"]


KILLS = {
    "the message has come": "after(transport.HttpsTransport, 'send')",
    "the file is half there": "before(Path, 'replace')",
    "the file is there": "after(folder.FolderStore, 'write')",
    "the token is asked for": "before(issuer, 'write_request')",
    "the token has come": "after(transport.HttpsTransport, 'send', 2)",
    "all is done": "after(transport.HttpsTransport, 'send', 3)",
}
KILLED = f"""
import os, signal
from pathlib import Path
from keyfob.partner import issuer, transport
from keyfob.partner.vault import folder

def before(owner, name):
    setattr(owner, name, lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))

def after(owner, name, count=1):
    real, calls = getattr(owner, name), []
    def wrapped(*positional, **named):
        result = real(*positional, **named)
        calls.append(1)
        if len(calls) == count:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(owner, name, wrapped)

STEP
{ENTRY}
"""


@pytest.fixture(scope="module")
def killed(stage):
    return stage.vaults("killed")


@pytest.mark.parametrize("step", KILLS)
def test_killed_at_any_step_the_vault_holds_a_secret_that_works_and_the_rotation_goes_on(stage, killed, step):
    client_id, _, (vault,) = killed
    before = len(stage.credentials(client_id))
    process = vault.start("rotate", "--private-key", vault.private_key, entry=KILLED.replace("STEP", KILLS[step]))
    _, err = process.communicate(timeout=60)
    assert process.returncode == -signal.SIGKILL, err
    made = len(stage.credentials(client_id)) - before
    assert made == 1
    assert vault.works(), "old or new, never neither"
    done = vault.rotate()
    if done["replaced"] != done["credential_id"]:
        assert done["credential_id"] in vault.ids()
    credentials = stage.credentials(client_id)
    newest = credentials[-1]
    assert (newest["credential_id"], newest["state"]) == (done["credential_id"], "active")
    assert newest["first_used_at"] is not None


def test_a_stored_successor_that_the_operator_has_replaced_stops_nobody(stage):
    """The vault's newest secret was retired unused: its programs go on with the one before, and so does rotating."""
    client_id, old, (vault,) = stage.vaults("overtaken")
    assert vault.works()
    process = vault.start(
        *("rotate", "--private-key", vault.private_key),
        entry=KILLED.replace("STEP", KILLS["the file is there"]),
    )
    process.communicate(timeout=60)
    assert len(vault.ids()) == 2
    message = stage.operator.home.parent / "overtaking.asc"
    newest = stage.operator.run("client", "rotate", client_id, "--out", message)["credential_id"]
    assert [one["state"] for one in stage.credentials(client_id)] == ["active", "retired", "active"]
    instance = started(vault)
    done = vault.rotate()
    assert done["credential_id"] == newest
    seen = ended(instance)
    assert seen["failures"] == []
    assert seen["used"][-1] == newest
    assert set(seen["used"]) <= {old.credential_id, newest}


def test_two_programs_with_one_vault_rotate_once(stage):
    client_id, old, (vault,) = stage.vaults("shared")
    assert vault.works()
    from keyfob.turn import Turn

    with Turn(vault.path / "rotate.lock").taken():
        both = [vault.start("rotate", "--private-key", vault.private_key, "--json") for _ in range(2)]
        waiting = {str(process.pid) for process in both}
        while not waiting <= set(Path("/proc/locks").read_text().split()):
            assert all(process.poll() is None for process in both)
            time.sleep(0.05)  # between two looks at the condition
    told = []
    for process in both:
        out, err = process.communicate(timeout=60)
        assert process.returncode == 0, err
        told.append(json.loads(out))
    assert len({one["credential_id"] for one in told}) == 1
    assert sorted(one["again"] for one in told) == [False, True]
    assert {one["replaced"] for one in told} == {old.credential_id}
    assert len(stage.credentials(client_id)) == 2
