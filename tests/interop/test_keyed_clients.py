"""Clients that prove a key (RFC 7523, RFC 9449; SMART Backend Services, FAPI 2.0), and the API that they call."""

import base64
import json
import re

import pytest

from interop.api import send_again
from interop.matrix import BOUND, KEYED, KEYED_RUNS, KEYED_VERIFIERS, VERIFIER
from interop.registration import new_key
from interop.test_verifiers import refused

BOUND_RUNS = tuple((client, way) for client, way in KEYED_RUNS if way.bound)


def each(runs):
    return pytest.mark.parametrize(("client", "way"), runs, ids=[f"{client.name}, {way.name}" for client, way in runs])


@each(KEYED_RUNS)
def test_what_a_client_sent_is_worth_nothing_the_second_time(scene, client, way):
    """RFC 7523 §3 item 7, RFC 9449 §11.1: assertions at the server, proofs there and at the API, byte for byte."""
    run = scene.ask_keyed(client, way)
    assert run.status == 0, run.complaint
    for request, status in run.exchanges():
        assert status == 200
        again, body = send_again(request, scene.operator.issuer, scene.ca)
        assert (again, json.loads(body)["error"]) == way.again
    (request, status), *_ = run.called(way.call)
    assert status == 200
    again, body = send_again(request, scene.api.url, scene.ca)
    # A bearer token is as good for each who bears it, which is why there are others.
    assert (again, json.loads(body).get("code")) == ((401, "invalid_dpop_proof") if way.bound else (200, None))


@each(KEYED_RUNS)
def test_two_libraries_verify_the_token_and_what_it_is_bound_to(scene, client, way):
    run = scene.ask_keyed(client, way)
    token = run.answer["access_token"]
    proven = proof_of(run.exchanges()[0][0])[0]["jwk"] if way.bound else None
    for name in KEYED_VERIFIERS:
        verified = scene.verify(VERIFIER[name], token, audience=scene.api.url, proven=proven)
        assert verified.status == 0, verified.complaint
        claims = verified.answer
        assert claims["client_id"] == claims["sub"] == scene.registered(way).client_id
        assert claims["scope"] == way.scope
        assert ("cnf" in claims) == way.bound


@each(KEYED_RUNS)
def test_the_answer_says_what_kind_of_token_it_is(scene, client, way):
    """RFC 9449 §5; SMART Backend Services: at most five minutes."""
    answer = scene.ask_keyed(client, way).answer
    # cumulus-fhir-support keeps all but the token to itself.
    if "token_type" in answer:
        assert answer["token_type"].lower() == ("dpop" if way.bound else "bearer")
        assert int(answer["expires_in"]) in range(295, 301)


@each(BOUND_RUNS)
def test_the_api_admits_the_owner_of_the_key_and_nobody_else(scene, client, way):
    """RFC 9449 §7.1, §7.2: the library's own requests, with its key, with another, and as a bearer token."""
    run = scene.ask_keyed(client, way)
    assert run.answer["called"] == {"owner": 200, "stranger": 401, "bearer": 401}
    token = run.answer["access_token"].encode()
    schemes = [
        re.search(rb"authorization: (\w+) " + re.escape(token), sent, re.I)[1] for sent, _ in run.called(way.call)
    ]
    assert [scheme.lower() for scheme in schemes] == [b"dpop", b"dpop", b"bearer"]


@pytest.mark.parametrize("name", KEYED_VERIFIERS)
def test_a_verifier_tells_a_bound_token_from_others(scene, name):
    client = KEYED[0]
    token = scene.ask_keyed(client, BOUND).answer["access_token"]
    other = new_key("ES256")
    for proven in (None, {member: other[member] for member in ("kty", "crv", "x", "y")}):
        assert refused(scene.verify(VERIFIER[name], token, audience=scene.api.url, proven=proven))


@pytest.mark.parametrize("name", ["openid-client", "oauth4webapi"])
def test_a_nonce_that_was_offered_is_in_the_next_proof(scene, name):
    """RFC 9449 §8.2, and the server takes it."""
    (client,) = (client for client in KEYED if client.name == name)
    (first, _), (second, status) = scene.ask_keyed(client, BOUND).exchanges()
    assert "nonce" not in proof_of(first)[1]
    assert "nonce" in proof_of(second)[1]
    assert status == 200


@pytest.mark.parametrize("client", KEYED, ids=lambda client: client.name)
def test_another_key_is_told_by_the_code_of_the_standard(scene, client):
    """RFC 6749 §5.2: of the same name and algorithm as the registered one."""
    way = next(way for way in client.keyed_ways if way.algorithm)
    known = json.loads(scene.registered(way).secret)
    run = scene.ask_keyed_anew(client, way, json.dumps(new_key(way.algorithm) | {"kid": known["kid"]}))
    assert run.answer == {"error": "invalid_client"}, run.complaint
    assert [status for _, status in run.exchanges()] == [401]


def proof_of(request: bytes) -> tuple[dict[str, object], dict[str, object]]:
    """Header and claims of the DPoP proof in `request`."""
    found = re.search(rb"^dpop: ([^\r]+)", request, re.IGNORECASE | re.MULTILINE)
    header, claims, _ = (base64.urlsafe_b64decode(part + b"==") for part in found[1].split(b"."))
    return json.loads(header), json.loads(claims)
