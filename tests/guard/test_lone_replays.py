"""Used proofs in one process's memory: whoever is not alone with the API refuses them, rather than admit one twice."""

import asyncio
import os
import subprocess
import sys

import pytest

from keyfob.guard import IssuerUnavailable
from keyfob.guard.replays import LoneReplays

NOW = 1_000_000
HOLD = """
import asyncio, sys
from keyfob.guard.replays import LoneReplays
print(asyncio.run(LoneReplays(sys.argv[1]).use("a", until=2, now=1)), flush=True)
sys.stdin.read()
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has names that end with their process")


def use(replays, name, *, now=NOW):
    return asyncio.run(replays.use(name, until=now + 90, now=now))


@pytest.fixture
def api() -> str:
    return f"https://{os.urandom(8).hex()}.example"


def test_another_process_of_the_same_api_takes_no_proof_until_the_first_has_ended(api, caplog):
    first = subprocess.Popen([sys.executable, "-c", HOLD, api], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert first.stdout is not None and first.stdout.readline() == b"True\n"
    mine = LoneReplays(api)
    for _ in range(2):
        with pytest.raises(IssuerUnavailable):
            use(mine, "a")
    assert caplog.text.count("proofs_refused") == 1 and "FileReplays" in caplog.text
    assert use(LoneReplays(api + "/other"), "a")
    # However it ends: nobody tidies up.
    first.kill()
    first.communicate()
    assert use(mine, "a") and not use(mine, "a")


def test_a_process_that_was_forked_has_not_the_memory_of_its_parent(api):
    replays = LoneReplays(api)
    assert use(replays, "a")
    child = os.fork()
    if child == 0:
        try:
            use(replays, "b")
        except IssuerUnavailable:
            os._exit(0)
        os._exit(1)
    assert os.waitpid(child, 0)[1] == 0
    assert use(replays, "b") and not use(replays, "a")


def test_two_guards_of_one_process_do_not_stand_in_each_others_way(api):
    assert use(LoneReplays(api), "a") and use(LoneReplays(api), "a")
