"""Tokens that are bound to a key of the session (RFC 9449), with an issuer and an API that check each proof."""

import asyncio
import json
import time

import pytest
import requests

from keyfob.ambient import system_clock
from keyfob.guard import Guard, refusal
from keyfob.guard.issuer import KEYS
from keyfob.guard.possession import nonce_key
from keyfob.guard.replays import MemoryReplays
from keyfob.guard.trusted import Trusted
from keyfob.jose import keys
from keyfob.jose.keys import KeySet
from keyfob.jose.proofs import verify_proof
from keyfob.jose.tokens import sign_access_token
from keyfob.oauth.dpop import InvalidDpopProof
from keyfob.oauth.errors import OAuthError
from keyfob.partner import AsyncSession, Session, Unreachable, client_key, open_authorizer
from keyfob.partner.adapters.requests import KeyfobAuth
from keyfob.partner.possession import Prover
from keyfob.refreshing import Refreshing
from keyfob.secret import Secret


@pytest.fixture
def bound(handoff, service):
    """A partner whose tokens are bound, at an issuer and an API that each want a nonce of their own."""
    handoff.receive(handoff.message())
    first_token, jtis, said = service.token, set(), {"issuer": "n-1", "api": "n-2"}

    def check(method, url, headers, nonce, token=None):
        said_by = {"method": method, "url": url, "now": int(time.time()), "access_token": token}
        proof, found = verify_proof(Secret(headers["dpop"]), **said_by)
        assert proof.jti not in jtis
        jtis.add(proof.jti)
        handoff.key_ids.add(proof.key_id)
        return found == nonce

    def token(method, headers, body):
        if "dpop" not in headers:
            return service.say(400, {"error": "invalid_dpop_proof", "error_id": "e1"})
        if not check(method, f"{service.url}/oauth2/token", headers, said["issuer"]):
            return service.say(400, {"error": "use_dpop_nonce"}, {"dpop-nonce": said["issuer"]})
        status, more, answer = first_token(method, headers, body)
        return status, more, answer.replace(b'"Bearer"', b'"DPoP"')

    def studies(method, headers, body):
        scheme, _, value = headers["authorization"].partition(" ")
        assert scheme == "DPoP"
        if not check(method, f"{service.url}/api/v1/studies", headers, said["api"], Secret(value)):
            challenge = {"www-authenticate": 'DPoP error="use_dpop_nonce", algs="ES256"', "dpop-nonce": said["api"]}
            return service.say(401, {}, challenge)
        if value in handoff.refused:
            return service.say(401, {}, {"www-authenticate": 'DPoP error="invalid_token"'})
        service.calls.append(value)
        return service.say(200, {})

    handoff.key_ids, handoff.refused, handoff.said = set(), set(), said
    service.handle |= {"/oauth2/token": token, "/api/v1/studies": studies}
    return handoff


def test_a_session_proves_one_key_with_the_nonce_that_each_server_wants(bound, service):
    """RFC 9449 §4.2, §7.1, §8, §9: a proof for each request, never twice, and the nonce of the latest answer."""
    with Session.open(vault=bound.vault, ca=service.ca, dpop=True) as session:
        for _ in range(2):
            assert session.get("/v1/studies", params={"a": "1"}).status_code == 200
        bound.said |= {"api": "n-3", "issuer": "n-4"}
        bound.refused.add("token-1")
        assert session.get("/v1/studies").status_code == 200
    assert service.calls == ["token-1", "token-1", "token-2"]
    assert len(bound.key_ids) == 1


def test_a_session_comes_in_at_a_real_guard_that_wants_its_own_nonce(bound, service):
    """RFC 9449 §9: the session learns the guard's nonce from its challenge, and is not asked again while it is good."""
    key, asked = keys.generate("ES256"), []
    jwks = KeySet.parse(keys.write_jwks([key.public_jwk()]))
    issue = service.handle["/oauth2/token"]

    async def fetch(_):
        return jwks

    guard = Guard(
        audience=f"{service.url}/api",
        trusted=[Trusted(service.url, Refreshing(fetch, KEYS, what="keys", clock=system_clock))],
        replays=MemoryReplays(),
        clock=system_clock,
        nonce_key=nonce_key(keys.generate("ES256")),
    )

    def token(method, headers, body):
        status, more, answer = issue(method, headers, body)
        if status != 200:
            return status, more, answer
        (key_id,), now = bound.key_ids, int(time.time())
        claims = {"iss": service.url, "sub": "cl_1", "client_id": "cl_1", "aud": guard.audience, "iat": now}
        claims |= {"exp": now + 300, "jti": "j", "scope": "studies:read", "cnf": {"jkt": key_id}}
        return service.say(200, json.loads(answer) | {"access_token": sign_access_token(claims, key).reveal()})

    def studies(method, headers, _):
        presented = [(name.encode(), value.encode()) for name, value in headers.items()]
        try:
            asyncio.run(guard.admit(presented, b"", "studies:read", method=method, path=b"/api/v1/studies"))
        except OAuthError as refused:
            answer = refusal(refused, scope="studies:read")
            asked.append(refused.code)
            return answer.status, {name.decode(): value.decode() for name, value in answer.headers}, answer.body
        return service.say(200, {})

    service.handle |= {"/oauth2/token": token, "/api/v1/studies": studies}
    with Session.open(vault=bound.vault, ca=service.ca, dpop=True) as session:
        assert [session.get("/v1/studies").status_code for _ in range(3)] == [200] * 3
    assert asked == ["use_dpop_nonce"]


def test_the_issuer_says_that_the_client_is_bound_and_each_session_has_its_own_key(bound, service):
    auth = KeyfobAuth(open_authorizer(vault=bound.vault, ca=service.ca))
    answer = requests.get(f"{service.url}/api/v1/studies", auth=auth, verify=str(service.ca), timeout=9)
    assert answer.status_code == 200
    assert not {"Authorization", "DPoP"} & answer.request.headers.keys()
    bound.refused.add("token-1")
    assert requests.get(answer.url, auth=auth, verify=str(service.ca), timeout=9).status_code == 200

    async def by_task():
        async with AsyncSession.open(vault=bound.vault, ca=service.ca) as session:
            return (await session.get("/v1/studies")).status_code

    assert asyncio.run(by_task()) == 200
    assert len(bound.key_ids) == 2


def test_a_token_without_the_binding_that_was_asked_for_is_not_used(handoff, service):
    """RFC 9449 §5: whoever takes the proof away gets nothing for it."""
    handoff.receive(handoff.message())
    with Session.open(vault=handoff.vault, ca=service.ca, dpop=True) as session, pytest.raises(Unreachable) as refused:
        session.get("/v1/studies")
    assert "token_type is not DPoP" in refused.value.message
    assert service.calls == []


def test_a_proof_of_another_request_does_not_pass():
    """RFC 9449 §4.3."""
    prover = Prover(client_key.generate(), now=lambda: 1000, entropy=lambda count: bytes(count))
    proof, token = prover.prove("GET", "https://a.example/x?q=1", Secret("t")), Secret("t")
    said = {"method": "GET", "url": "https://a.example/x", "now": 1000, "access_token": token}
    assert verify_proof(proof, **said)[0].key_id == prover.key_id
    for wrong in ({"method": "POST"}, {"url": "https://a.example/y"}, {"access_token": Secret("u")}, {"now": 2000}):
        with pytest.raises(InvalidDpopProof):
            verify_proof(proof, **said | wrong)
    for malformed in (b"", b"a" * 600, b"\xff", b"a\x01"):
        assert prover.learn("https://a.example", ((b"dpop-nonce", malformed),), with_token=True) is False
    assert prover.learn("https://a.example/y", ((b"dpop-nonce", b"n"),), with_token=True) is True
    assert prover.learn("https://a.example/z", ((b"dpop-nonce", b"n"),), with_token=True) is False
