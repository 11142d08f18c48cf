"""A good client beside an attack on real sockets: each of its requests is answered, also from the attacker's address.

How fast it is answered is `bench/under_attack.py`'s to say.
"""

import json
import resource
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parents[3] / "bench" / "attack.py"
LEAST = 5_000
"""Idle connections that any machine must be able to bear."""


@pytest.fixture(scope="module")
def attacked(new_operator):
    """A server under attack, its client, and how to end the attack and learn what it saw."""
    operator = new_operator()
    info = operator.client("good")
    operator.serve()
    idle = min(6_000, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 1000)
    assert idle >= LEAST, "raise the limit of open files (ulimit -Hn)"
    attacker = subprocess.Popen(
        [
            *(sys.executable, PROGRAM, "--port", str(operator.port), "--ca", operator.home / "tls" / "ca.pem"),
            *("--client", info.client_id, "--idle", str(idle)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )

    def end() -> dict[str, int]:
        return json.loads(attacker.communicate("")[0])

    try:
        assert attacker.stdout is not None
        assert attacker.stdout.readline() == "ready\n"
        yield operator, info, end
    finally:
        attacker.kill()
        attacker.wait()


@pytest.mark.load
def test_a_good_client_gets_each_of_its_tokens_while_others_idle_stall_and_guess(attacked):
    operator, info, end = attacked
    kept = operator.connect()
    body = f"grant_type=client_credentials&scope=studies:read&client_id={info.client_id}"
    body += f"&client_secret={info.client_secret.reveal()}"
    for _ in range(50):
        # A connection of its own, and one that is kept: neither is refused, closed, or told to wait.
        assert operator.token(info, scope="studies:read").status == 200
        kept.request("POST", "/oauth2/token", body, {"content-type": "application/x-www-form-urlencoded"})
        response = kept.getresponse()
        response.read()
        assert response.status == 200
    kept.close()
    seen = end()
    assert seen["at most"] >= LEAST
    # The guesses were answered, and slowed down; none of them found the secret, and none was a failure of ours.
    answered = {name for name in seen if name.startswith("guesses answered")}
    assert answered == {"guesses answered 401", "guesses answered 429"}
    assert "Traceback" not in operator.log
