"""What may serve once serves once, at the API too: fifty attempts at the same instant, at two workers."""

import contextlib
import json
import threading
import time

import pytest

from keyfob import database
from keyfob.jose import keys
from keyfob.jose.proofs import sign_proof
from keyfob.secret import Secret
from racing import ATTEMPTS, at_once, needs_proc

pytestmark = [needs_proc, pytest.mark.on("sqlite", "postgresql")]
KEY = keys.generate("ES256")


@pytest.fixture(scope="module")
def api(new_api, demo_study, tmp_path_factory):
    made = new_api()
    design = tmp_path_factory.mktemp("design") / "design.xml"
    design.write_bytes(demo_study("design"))
    made.run("load", design)
    made.serve("--workers", "2")
    return made


def proven(api, token, jti, *, method="GET", path="/v1/studies"):
    proof = sign_proof(
        KEY, method=method, url=f"{api.resource}{path}", now=int(time.time()), jti=jti, access_token=Secret(token)
    )
    return {"authorization": f"DPoP {token}", "dpop": proof.reveal()}


def asked(api, method, path, headers, body=b""):
    def ask(connection):
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()).get("code", "")

    return at_once(api, ask)


def test_a_proof_of_possession_opens_the_api_once_and_also_after_a_restart(api):
    """RFC 9449 §11.1."""
    token = api.token(cnf={"jkt": KEY.kid})
    headers = proven(api, token, "once")
    assert asked(api, "GET", "/v1/studies", headers) == {(200, ""): 1, (401, "invalid_dpop_proof"): ATTEMPTS - 1}
    assert api.request("GET", "/v1/studies", headers=proven(api, token, "another"), anonymous=True).status == 200
    api.stop()
    api.serve("--workers", "2")
    again = api.request("GET", "/v1/studies", headers=headers, anonymous=True)
    assert (again.status, again.document["code"]) == (401, "invalid_dpop_proof")


def test_a_subject_is_registered_once_and_its_answer_given_to_all(api):
    """draft-ietf-httpapi-idempotency-key-header §2.6: whichever worker they come to; who comes too early is told so."""
    body = json.dumps({"key": "racer"}).encode()
    headers = {
        "authorization": f"Bearer {api.token()}",
        "content-type": "application/json",
        "idempotency-key": "one",
    }
    path = "/v1/studies/KF.DEMO/subjects"
    answers = asked(api, "POST", path, headers, body)
    assert set(answers) <= {(201, ""), (409, "still-running")}
    assert answers[201, ""] >= 1
    again = api.request("POST", path, body, headers)
    assert (again.status, again.headers["idempotent-replay"]) == (201, "true")
    assert [one["key"] for one in api.get(path).document["items"]] == ["racer"]


@pytest.mark.on("sqlite")
def test_a_request_that_is_still_running_is_not_begun_by_another_worker(api):
    """draft-ietf-httpapi-idempotency-key-header §2.6: one waits for its turn to write, all others are told so."""
    body = json.dumps({"key": "waiting"}).encode()
    headers = {
        "authorization": f"Bearer {api.token()}",
        "content-type": "application/json",
        "idempotency-key": "still one",
    }
    path, told, may_write = "/v1/studies/KF.DEMO/subjects", [], threading.Event()

    def ask(connection):
        connection.request("POST", path, body, headers)
        answer = connection.getresponse()
        told.append((answer.status, json.loads(answer.read()).get("code", "")))
        if len(told) == ATTEMPTS - 1:
            may_write.set()
        return told[-1]

    def write_long():
        with contextlib.closing(database.open_sqlite(api.home / "cdms.db")) as opened, opened.write():
            writing.set()
            may_write.wait(30)

    writing = threading.Event()
    writer = threading.Thread(target=write_long)
    writer.start()
    assert writing.wait(60)
    answers = at_once(api, ask)
    writer.join()
    assert answers == {(201, ""): 1, (409, "still-running"): ATTEMPTS - 1}
    again = api.request("POST", path, body, headers)
    assert (again.status, again.headers["idempotent-replay"]) == (201, "true")
