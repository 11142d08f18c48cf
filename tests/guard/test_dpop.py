"""Tokens that are bound to a key (RFC 9449 §7): worth nothing without a fresh proof, and each proof works once."""

import asyncio

import pytest

from keyfob.guard import Guard, IssuerUnavailable, MissingToken, possession, refusal
from keyfob.guard.errors import RefusedNonce, RefusedProof
from keyfob.guard.replays import MemoryReplays
from keyfob.jose import keys
from keyfob.jose.proofs import sign_proof
from keyfob.oauth import dpop
from keyfob.oauth.errors import InsufficientScope, InvalidRequest, InvalidToken
from keyfob.problem import Misuse
from keyfob.secret import Secret

AUDIENCE = "https://api.example"
NOW = 1_000_000
KEY = keys.generate("ES256")
URL = f"{AUDIENCE}/v1/studies"


@pytest.fixture
def guard(issuer) -> Guard:
    return Guard.discover(issuer.url, audience=AUDIENCE, ca_file=issuer.ca, clock=lambda: NOW)


@pytest.fixture
def token(issuer) -> Secret:
    return issuer.token(cnf={"jkt": KEY.kid})


def proof(token: Secret, *, key=KEY, method="GET", url=URL, now=NOW, jti="1", nonce=None) -> Secret:
    return sign_proof(key, method=method, url=url, now=now, jti=jti, access_token=token, nonce=nonce)


def headers(token: Secret, *proofs: Secret, scheme: bytes = b"DPoP") -> list[tuple[bytes, bytes]]:
    presented = (b"authorization", scheme + b" " + token.reveal_bytes())
    return [presented, *((b"dpop", one.reveal_bytes()) for one in proofs)]


def admit(guard, found, scope="studies:read", method="GET", path=b"/v1/studies"):
    return asyncio.run(guard.admit(found, b"a=1", scope, method=method, path=path))


def test_who_holds_the_key_is_admitted(guard, token):
    assert admit(guard, headers(token, proof(token))).confirmation == {"jkt": KEY.kid}
    assert admit(guard, headers(token, proof(token, jti="2"), scheme=b"dpop"))
    with pytest.raises(InsufficientScope):
        admit(guard, headers(token, proof(token, jti="3")), scope="studies:write")


def test_a_bound_token_without_its_proof_is_refused(guard, token):
    """RFC 9449 §7.1, §7.2, RFC 9700 §2.2, §2.2.1, §4.10: also as a bearer token, and where nobody tells the request."""
    with pytest.raises(InvalidToken):
        admit(guard, headers(token, scheme=b"Bearer"))
    with pytest.raises(InvalidToken):
        admit(guard, headers(token, proof(token), scheme=b"Bearer"))
    with pytest.raises(RefusedProof):
        admit(guard, headers(token))
    with pytest.raises(RefusedProof):
        admit(guard, headers(token, proof(token, jti="a"), proof(token, jti="b")))
    with pytest.raises(RefusedProof):
        asyncio.run(guard.admit(headers(token, proof(token)), b"", "studies:read"))
    with pytest.raises(InvalidToken):
        asyncio.run(guard.verify(token))
    with pytest.raises(InvalidToken):
        guard.check(token, NOW)


def test_a_token_that_is_bound_to_something_else_is_refused(guard, issuer, token):
    """RFC 8705 §3 names another confirmation; what is not understood is not skipped."""
    for bound in ({"jkt": "x"}, {"x5t#S256": "x"}, {"jkt": KEY.kid, "x5t#S256": "x"}):
        other = issuer.token(cnf=bound)
        with pytest.raises(InvalidToken):
            admit(guard, headers(other, proof(other)))
    unbound = issuer.token()
    with pytest.raises(InvalidToken):
        admit(guard, headers(unbound, proof(unbound)))
    with pytest.raises(InvalidToken):
        admit(guard, headers(issuer.token(cnf={"x5t#S256": "x"}), scheme=b"Bearer"))


def test_a_proof_of_another_request_key_or_token_is_refused(guard, issuer, token):
    stranger = keys.generate("ES256")
    for wrong in (
        proof(token, method="POST"),
        proof(token, url=f"{AUDIENCE}/v1/other"),
        proof(token, url="https://other.example/v1/studies"),
        proof(token, now=NOW - 60),
        proof(token, now=NOW + 31),
        proof(issuer.token(jti="other")),
        Secret("no.proof.atall"),
    ):
        with pytest.raises(RefusedProof):
            admit(guard, headers(token, wrong))
    with pytest.raises(InvalidToken):
        admit(guard, headers(token, proof(token, key=stranger)))
    with pytest.raises(InvalidRequest):
        admit(guard, [*headers(token, proof(token)), *headers(token)])
    with pytest.raises(MissingToken):
        admit(guard, [(b"dpop", proof(token).reveal_bytes())])


def test_a_proof_works_once_also_in_a_race(guard, token):
    """RFC 9449 §11.1: of fifty at once exactly one."""
    found = headers(token, proof(token))

    async def all_at_once():
        asked = [guard.admit(found, b"", "studies:read", method="GET", path=b"/v1/studies") for _ in range(50)]
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = asyncio.run(all_at_once())
    assert sum(not isinstance(answer, Exception) for answer in answers) == 1
    assert sum(isinstance(answer, RefusedProof) for answer in answers) == 49


def test_the_refusal_says_that_a_proof_is_wanted(guard, token):
    """RFC 9449 §7.1."""
    with pytest.raises(RefusedProof) as refused:
        admit(guard, headers(token))
    answer = refusal(refused.value, resource_metadata="https://api.example/.well-known/x")
    challenge = dict(answer.headers)[b"www-authenticate"]
    assert answer.status == 401
    assert challenge.startswith(b'DPoP error="invalid_dpop_proof", ')
    assert b'algs="ES256 ES384 EdDSA' in challenge
    assert b"resource_metadata=" in challenge


def test_the_challenge_of_a_proof_names_the_scope_too(guard, token):
    """RFC 6750 §3, RFC 9449 §7.1: whoever comes again asks for the right token at once."""
    with pytest.raises(RefusedProof) as refused:
        admit(guard, headers(token))
    assert b'scope="studies:read"' in dict(refusal(refused.value, scope="studies:read").headers)[b"www-authenticate"]


def test_a_proof_by_another_key_is_told_in_the_scheme_of_proofs(guard, token):
    """RFC 9449 §7.1: its own example, error="invalid_token" in a DPoP challenge."""
    with pytest.raises(InvalidToken) as refused:
        admit(guard, headers(token, proof(token, key=keys.generate("ES256"))))
    challenge = dict(refusal(refused.value).headers)[b"www-authenticate"]
    assert challenge.startswith(b'DPoP error="invalid_token", ')
    assert b'algs="ES256 ' in challenge
    with pytest.raises(InvalidToken) as borne:
        admit(guard, headers(token, scheme=b"Bearer"))
    assert dict(refusal(borne.value).headers)[b"www-authenticate"].startswith(b"Bearer ")


def test_what_was_used_is_remembered_for_as_long_as_it_could_work():
    used = MemoryReplays()

    def use(name, *, until, now):
        return asyncio.run(used.use(name, until=until, now=now))

    assert use("a", until=NOW + 90, now=NOW)
    assert not use("a", until=NOW + 90, now=NOW + 89)
    assert use("a", until=NOW + 180, now=NOW + 90)
    assert use("b", until=NOW + 90, now=NOW + 90)


def test_a_full_memory_admits_nobody_rather_than_a_replay(monkeypatch):
    monkeypatch.setattr("keyfob.guard.replays._MAX_REMEMBERED", 2)
    used = MemoryReplays()

    def use(name, *, until, now):
        return asyncio.run(used.use(name, until=until, now=now))

    assert use("a", until=NOW + 90, now=NOW) and use("b", until=NOW + 90, now=NOW)
    with pytest.raises(IssuerUnavailable):
        use("c", until=NOW + 90, now=NOW)
    assert not use("a", until=NOW + 90, now=NOW)
    assert use("c", until=NOW + 180, now=NOW + 90)


@pytest.fixture
def wary(issuer):
    """A guard that asks for nonces, at a time that can be set."""
    now = [NOW]
    key = issuer.resource_key

    def made(resource_key=key):
        return Guard.discover(
            issuer.url, audience=AUDIENCE, ca_file=issuer.ca, resource_key=resource_key, dpop_nonce=True,
            replays=MemoryReplays(), clock=lambda: now[0],
        )  # fmt: skip

    issuer.offer_feed(lambda: now[0])
    return made, now


def asked_for(guard, token, **changes) -> str:
    """The nonce of the challenge."""
    with pytest.raises(RefusedNonce) as refused:
        admit(guard, headers(token, proof(token, **changes)))
    answer = refusal(refused.value, scope="studies:read")
    said = dict(answer.headers)
    assert answer.status == 401
    # RFC 9449 §9: the challenge's error code, and the nonce beside it.
    assert said[b"www-authenticate"].startswith(b'DPoP error="use_dpop_nonce"')
    return said[b"dpop-nonce"].decode()


def test_a_proof_needs_a_nonce_of_the_guards_where_it_asks_for_one(wary, issuer):
    """RFC 9449 §9: the same key comes in with it."""
    make, now = wary
    token = issuer.token(cnf={"jkt": KEY.kid}, exp=NOW + 900)
    guard = make()
    nonce = asked_for(guard, token)
    assert admit(guard, headers(token, proof(token, nonce=nonce, jti="2")))
    with pytest.raises(RefusedProof):
        admit(guard, headers(token, proof(token, nonce=nonce, jti="2")))
    # It is for many proofs, and for a while.
    now[0] += 299
    late = {"now": now[0], "nonce": nonce}
    assert admit(guard, headers(token, proof(token, jti="3", **late)))
    now[0] += 1
    assert asked_for(guard, token, jti="4", nonce=nonce, now=now[0]) != nonce


def test_a_nonce_that_is_no_nonce_of_ours_is_answered_with_one(wary, token):
    """RFC 9449 §9."""
    guard = wary[0]()
    nonce = asked_for(guard, token)
    for wrong in ("", "x", nonce[:-1], nonce + "0", f"{NOW + 1}.{nonce.split('.')[1]}", 5, ["x"], nonce.upper()):
        if wrong != nonce:
            asked_for(guard, token, jti=str(wrong) or "e", nonce=wrong)


def test_a_nonce_of_another_process_of_the_api_is_good_and_of_another_api_is_not(wary, token):
    make, _ = wary
    nonce = asked_for(make(), token)
    assert admit(make(), headers(token, proof(token, nonce=nonce)))
    assert dpop.is_fresh(nonce, possession.nonce_key(keys.generate("ES256")), NOW) is False


def test_a_bearer_token_needs_no_nonce_and_a_bad_proof_gets_none(wary, issuer, token):
    guard = wary[0]()
    assert admit(guard, headers(issuer.token(), scheme=b"Bearer"))
    with pytest.raises(RefusedProof):
        admit(guard, headers(token, proof(token, method="POST")))
    with pytest.raises(InvalidToken):
        admit(guard, headers(token, proof(token, key=keys.generate("ES256"))))


def test_nonces_need_the_key_that_they_are_made_from(issuer):
    with pytest.raises(Misuse) as refused:
        Guard.discover(issuer.url, audience=AUDIENCE, ca_file=issuer.ca, dpop_nonce=True)
    assert "resource_key" in refused.value.message
