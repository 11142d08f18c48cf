"""What may serve once serves once: fifty attempts at the same instant, over connections that two processes share."""

import http.client
import json
import threading
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlencode

import pytest

from keyfob.jose import jws, keys
from keyfob.jose.proofs import sign_proof
from keyfob.oauth import client_assertion, client_authentication

pytestmark = [
    pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc to see who holds which connection"),
    pytest.mark.on("sqlite", "postgresql"),
]
ATTEMPTS = 50
RESOURCE = "https://api.example"
KEY = keys.generate("ES256")


@pytest.fixture(scope="module")
def operator(new_operator):
    made = new_operator()
    made.serve("--workers", "2")
    yield made
    made.stop()


def sockets(process: int) -> int:
    return sum(str(entry.readlink()).startswith("socket:") for entry in Path(f"/proc/{process}/fd").iterdir())


def held(operator) -> dict[int, int]:
    """How many sockets each worker holds."""
    parent = operator.processes[0].pid
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    return {int(process): sockets(int(process)) for process in listed}


def connect(operator) -> http.client.HTTPSConnection:
    made = operator.connect()
    made.request("GET", "/healthz")
    assert made.getresponse().read()
    return made


def at_once(operator, body: dict[str, str], headers: dict[str, str]) -> Counter[tuple[int, str]]:
    """The same request at the same instant, at both workers: how often each (status, error) came."""
    before = held(operator)
    assert len(before) == 2
    connections = [connect(operator) for _ in range(ATTEMPTS)]
    shares = {worker: count - before[worker] for worker, count in held(operator).items()}
    assert min(shares.values()) > 0, shares
    start, answers = threading.Barrier(ATTEMPTS), []
    headers = {"content-type": "application/x-www-form-urlencoded", **headers}
    body = {"grant_type": "client_credentials", "scope": "studies:read", **body}

    def attempt(connection: http.client.HTTPSConnection) -> None:
        start.wait(60)
        connection.request("POST", "/oauth2/token", urlencode(body), headers)
        answer = connection.getresponse()
        answers.append((answer.status, json.loads(answer.read()).get("error", "")))
        connection.close()

    threads = [threading.Thread(target=attempt, args=(connection,)) for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Counter(answers)


def issued(operator, client_id: str) -> int:
    return sum(one["kind"] == "token_issued" and one["client_id"] == client_id for one in operator.audit())


def test_an_assertion_gives_one_token(operator):
    """RFC 7523 §3 item 7."""
    published = operator.home.parent / "racer.jwks"
    published.write_bytes(keys.write_jwks([KEY.public_jwk()]))
    client_id = operator.run(
        *("client", "create", "--partner", "Acme", "--name", "racer", "--scope", "studies:read"),
        *("--resource", RESOURCE, "--auth-method", "private_key_jwt", "--jwks", published),
    )["client_id"]
    claims = client_assertion.write_claims(client_id, audience=operator.issuer, now=int(time.time()), jti="once")
    asserted = client_authentication.write_assertion(jws.sign(claims, KEY, header=KEY.header("JWT")))
    answers = at_once(operator, asserted, {})
    assert answers == {(200, ""): 1, (401, "invalid_client"): ATTEMPTS - 1}
    assert issued(operator, client_id) == 1


def test_a_proof_gives_one_token(operator):
    """RFC 9449 §11.1."""
    info = operator.client("proves")
    url = f"{operator.issuer}/oauth2/token"
    used = sign_proof(KEY, method="POST", url=url, now=int(time.time()), jti="once").reveal()
    secret = {"client_id": info.client_id, "client_secret": info.client_secret.reveal()}
    answers = at_once(operator, secret, {"dpop": used})
    assert answers == {(200, ""): 1, (400, "invalid_dpop_proof"): ATTEMPTS - 1}
    assert issued(operator, info.client_id) == 1
