"""Twenty operators at once, two on one client, and a SIGKILL in each: what counts is whole and told once."""

import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from keyfob.ambient import system_entropy
from keyfob.server import installation
from keyfob.server.audit import events
from keyfob.server.lifecycle.rotation import unopened_successors

pytestmark = [
    pytest.mark.on("sqlite", "postgresql"),
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL"),
]
API = "https://api.example"
TESTS = str(Path(__file__).parents[2])

# The program itself; only, it dies at that moment of its first change.
DYING = f"""
import contextlib, sys
sys.path.insert(0, {TESTS!r})
from keyfob.server import installation
from keyfob.server.cli import main
from server.lifecycle import crashes
moment, real, open_for_good = sys.argv.pop(1), installation.open, contextlib.ExitStack()
def opened(*arguments, **options):
    found = real(*arguments, **options)
    open_for_good.enter_context(crashes.dying(found, moment, crashes.kill))
    return found
installation.open = opened
main()
"""
MOMENTS = ("commit", "after", "3", "after", "6")
NEVER = "never"


@pytest.fixture
def acts(acme):
    """Twenty commands, by name; the first two and the second two concern one client each."""
    made = [acme.create(name=f"c{number}") for number in range(8)]
    ids = [one["client_id"] for one in made]
    words = [("client", "suspend", ids[0]), ("client", "suspend", ids[0]), ("client", "rotate", ids[1])]
    words += [("client", "rotate", ids[1]), ("client", "revoke", ids[2]), ("client", "rotate", ids[3])]
    words += [("client", "allow", ids[4], "--network", "192.0.2.0/24"), ("client", "suspend", ids[6])]
    words += [("client", "revoke-credential", ids[5], made[5]["credential_id"], "--yes"), ("client", "rotate", ids[7])]
    create = ("client", "create", "--partner", "Acme", "--scope", "a:read", "--resource", API, "--name")
    words += [(*create, f"new{number}") for number in range(20 - len(words))]
    return ids, words


def test_each_act_is_whole_or_not_at_all_and_recorded_once(acme, acts, run_at_once, tmp_path):
    ids, words = acts
    first = run_at_once("first", words, [MOMENTS[number % len(MOMENTS)] for number in range(len(words))])
    assert Counter(first.values())[-signal.SIGKILL] >= 15, "a kill came too late to be one"
    again = run_at_once("again", words[:5], [NEVER] * 5)
    assert set(again.values()) <= {0, 1, 2}
    found = installation.open(acme.home, environ={}, entropy=system_entropy)
    try:
        check(found.store, first, again, ids)
    finally:
        found.close()
    assert not list(tmp_path.glob(".*.unfinished")), "a draft was left lying"


def check(store, first, again, ids):
    assert store.audit_verdict().findings == ()
    records = [events.read(entry.payload) for entry in store.audit_tail(1000)]
    told = Counter((one.get("reason"), one["kind"]) for one in records if one.get("reason"))
    assert set(told.values()) == {1}, "an act was recorded twice"
    reasons = {reason for reason, _ in told}
    for number, (name, code) in enumerate(first.items()):
        took_effect = code != -signal.SIGKILL or MOMENTS[number % len(MOMENTS)] == "after"
        assert (name in reasons) is (took_effect and code in (0, -signal.SIGKILL)), (name, code)
    assert {name for name in reasons if name.startswith("again")} == {name for name, code in again.items() if code == 0}
    assert sum(kind == "client_suspended" for _, kind in told) == 1, "of those on one client, one did it"
    views = [store.find_client(client_id) for client_id in ids]
    assert [view.client.state.value for view in views[:3]] == ["suspended", "active", "revoked"]
    for view in views:
        assert len(unopened_successors(view.credentials, view.client.created_at)) <= 1
    sealed = {one["credential_id"] for one in records if one["kind"] == "credential_sealed"}
    assert {one.id for view in views for one in view.credentials} <= sealed


@pytest.fixture
def run_at_once(acme, tmp_path):
    def run(label, words, moments):
        """The exit status of each, by the reason that it gave."""
        running = {}
        for number, (one, moment) in enumerate(zip(words, moments, strict=True)):
            reason = f"{label}-{number}"
            out = ("--out", str(tmp_path / f"{reason}.asc")) if one[1] in ("create", "rotate") else ()
            command = [sys.executable, "-c", DYING, moment, *one, *out, "--home", str(acme.home), "--reason", reason]
            quiet = subprocess.DEVNULL
            running[reason] = subprocess.Popen(command, stdin=quiet, stdout=quiet, stderr=quiet)
        return {reason: process.wait(120) for reason, process in running.items()}

    return run
