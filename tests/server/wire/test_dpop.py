"""Tokens bound to a key (RFC 9449 §5, §8), on a real server."""

import time

import pytest

from keyfob.jose import keys
from keyfob.jose.proofs import sign_proof

KEY = keys.generate("ES256")


def proof(operator, *, key=KEY, method="POST", path="/oauth2/token", jti=None, age=0, nonce=None) -> str:
    now = int(time.time()) - age
    url = f"{operator.issuer}{path}"
    return sign_proof(key, method=method, url=url, now=now, jti=jti or str(time.time_ns()), nonce=nonce).reveal()


@pytest.fixture(scope="module")
def info(operator):
    return operator.client("may-bind")


def ask(operator, info, *proofs: str, scope="studies:read"):
    return operator.post(
        "/oauth2/token",
        {"grant_type": "client_credentials", "scope": scope},
        client=info,
        extra={"dpop": proofs[0]} if proofs else {},
    )


def test_a_token_is_bound_to_the_key_that_was_proven(operator, info):
    """RFC 9449 §5, §6.1: and the answer says that it is no bearer token."""
    answer = ask(operator, info, proof(operator))
    assert (answer.status, answer.document["token_type"]) == (200, "DPoP")
    said = operator.introspect(answer.document["access_token"])
    assert said["cnf"] == {"jkt": KEY.kid}
    assert said["token_type"] == "DPoP"
    without = ask(operator, info)
    assert without.document["token_type"] == "Bearer"
    assert "cnf" not in operator.introspect(without.document["access_token"])


def test_a_client_that_is_bound_gets_nothing_without_a_proof(operator):
    """RFC 9449 §5.2."""
    info = operator.client("must-bind", "--dpop")
    refused = ask(operator, info)
    assert (refused.status, refused.document["error"]) == (400, "invalid_dpop_proof")
    assert ask(operator, info, proof(operator)).status == 200
    assert operator.run("client", "show", info.client_id)["dpop_bound"] is True


def test_each_attack_on_a_proof_is_refused(operator, info):
    """RFC 9449 §4.3."""
    for wrong in (
        proof(operator, method="GET"),
        proof(operator, path="/oauth2/introspect"),
        proof(operator, age=60),
        proof(operator, age=-60),
        proof(operator)[:-4] + "AAAA",
        "x",
    ):
        answer = ask(operator, info, wrong)
        assert (answer.status, answer.document["error"]) == (400, "invalid_dpop_proof")
        assert "www-authenticate" not in answer.headers


def test_a_refused_request_uses_no_proof_up(operator, info):
    kept = proof(operator)
    assert ask(operator, info, kept, scope="unheard:of").document["error"] == "invalid_scope"
    assert ask(operator, info, kept).status == 200


def test_a_nonce_is_offered_taken_and_renewed(operator, info):
    """RFC 9449 §8, §8.2: any node knows it as ours, and an invented one brings a good one."""
    offered = ask(operator, info, proof(operator)).headers["dpop-nonce"]
    assert ask(operator, info, proof(operator, nonce=offered)).status == 200
    refused = ask(operator, info, proof(operator, nonce="invented"))
    assert (refused.status, refused.document["error"]) == (400, "use_dpop_nonce")
    assert ask(operator, info, proof(operator, nonce=refused.headers["dpop-nonce"])).status == 200


def test_the_metadata_name_the_algorithms_of_proofs(operator):
    """RFC 9449 §5.1: none of them symmetric."""
    assert "ES256" in operator.metadata()["dpop_signing_alg_values_supported"]
    assert not any(name.startswith("HS") for name in operator.metadata()["dpop_signing_alg_values_supported"])
