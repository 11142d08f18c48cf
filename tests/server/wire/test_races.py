"""What may serve once serves once: fifty attempts at the same instant, over connections that two processes share."""

import http.client
import json
import time
from collections import Counter
from urllib.parse import urlencode

import pytest

from keyfob.jose import jws, keys
from keyfob.jose.proofs import sign_proof
from keyfob.oauth import client_assertion, client_authentication
from racing import ATTEMPTS, at_once, needs_proc

pytestmark = [needs_proc, pytest.mark.on("sqlite", "postgresql")]
RESOURCE = "https://api.example"
KEY = keys.generate("ES256")


@pytest.fixture(scope="module")
def operator(new_operator):
    made = new_operator()
    made.serve("--workers", "2")
    yield made
    made.stop()


def asked(operator, body: dict[str, str], headers: dict[str, str]) -> Counter[tuple[int, str]]:
    """The same token request at the same instant: how often each (status, error) came."""
    headers = {"content-type": "application/x-www-form-urlencoded", **headers}
    body = {"grant_type": "client_credentials", "scope": "studies:read", **body}

    def ask(connection: http.client.HTTPSConnection) -> tuple[int, str]:
        connection.request("POST", "/oauth2/token", urlencode(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()).get("error", "")

    return at_once(operator, ask)


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
    answers = asked(operator, asserted, {})
    assert answers == {(200, ""): 1, (401, "invalid_client"): ATTEMPTS - 1}
    assert issued(operator, client_id) == 1


def test_a_proof_gives_one_token(operator):
    """RFC 9449 §11.1."""
    info = operator.client("proves")
    url = f"{operator.issuer}/oauth2/token"
    used = sign_proof(KEY, method="POST", url=url, now=int(time.time()), jti="once").reveal()
    secret = {"client_id": info.client_id, "client_secret": info.client_secret.reveal()}
    answers = asked(operator, secret, {"dpop": used})
    assert answers == {(200, ""): 1, (400, "invalid_dpop_proof"): ATTEMPTS - 1}
    assert issued(operator, info.client_id) == 1
