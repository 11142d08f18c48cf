"""The page "When something fails": each row of its table has a test, here or beside what it is about."""

import asyncio
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

from keyfob.guard import Guard, IssuerUnavailable
from keyfob.guard.errors import RefusedProof
from keyfob.jose import keys
from keyfob.jose.proofs import sign_proof
from keyfob.oauth.errors import InvalidToken
from keyfob.oauth.revocation_feed import Subject

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs/how-to/guard/when-something-fails.md"
AUDIENCE = "https://api.example"
NOW = 1_000_000
MINUTE = 60
DAY = 24 * 60 * MINUTE


@dataclass
class Clock:
    now: int = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def runner():
    with asyncio.Runner() as runner:
        yield runner


def made(issuer, clock) -> Guard:
    """The guard's clock is `clock`; the issuer's stays at NOW."""
    issuer.offer_feed(lambda: NOW)
    return Guard.discover(
        issuer.url, audience=AUDIENCE, ca_file=issuer.ca, resource_key=issuer.resource_key, clock=clock
    )


def test_every_row_of_the_page_names_a_test_that_is_there():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("|")][2:]
    assert len(rows) >= 15
    for row in rows:
        named = re.search(r"<!-- (tests/\S+\.py)::(test_\w+) -->", row)
        assert named is not None, row
        assert f"def {named[2]}(" in (ROOT / named[1]).read_text(), row


def test_an_issuer_that_is_gone_is_done_without_for_the_stated_times(serving_an_issuer, runner):
    clock = Clock()
    with serving_an_issuer() as issuer:
        issuer.offer_feed(clock)
        guards = {
            age: Guard.discover(issuer.url, audience=AUDIENCE, ca_file=issuer.ca, resource_key=key, clock=clock)
            for age, key in ((MINUTE, issuer.resource_key), (DAY + 10 * MINUTE, None))
        }
        token = issuer.token(exp=NOW + 2 * DAY)
        for guard in guards.values():
            runner.run(guard.verify(token))
    # Nobody listens at its port any more.
    for age, guard in guards.items():
        clock.now = NOW + age - 1
        assert runner.run(guard.verify(token)).jti == "j"
        clock.now = NOW + age
        with pytest.raises(IssuerUnavailable):
            runner.run(guard.verify(token))


def test_a_clock_that_is_a_minute_behind_refuses_what_is_new_and_sees_what_is_withdrawn(issuer, runner, caplog):
    clock = Clock(NOW - MINUTE)
    guard = made(issuer, clock)
    with pytest.raises(InvalidToken) as refused:
        runner.run(guard.verify(issuer.token(iat=NOW)))
    assert refused.value.detail == "begins in 60 s: is a clock wrong?"
    older = issuer.token(iat=NOW - 30, jti="older")
    assert runner.run(guard.verify(older)).jti == "older"
    assert f"clock_skewed issuer={issuer.url} seconds=-60" in caplog.text
    issuer.withdraw(Subject.TOKEN, "older")
    clock.now += 3
    with pytest.raises(InvalidToken):
        runner.run(guard.verify(older))


def test_a_clock_that_is_a_minute_ahead_ends_tokens_early_and_sees_what_is_withdrawn(issuer, runner, caplog):
    clock = Clock(NOW + MINUTE)
    guard = made(issuer, clock)
    with pytest.raises(InvalidToken):
        runner.run(guard.verify(issuer.token(exp=NOW + MINUTE)))
    token = issuer.token(exp=NOW + MINUTE + 10)
    assert runner.run(guard.verify(token))
    assert f"clock_skewed issuer={issuer.url} seconds=60" in caplog.text
    issuer.withdraw(Subject.TOKEN, "j")
    clock.now += 3
    with pytest.raises(InvalidToken):
        runner.run(guard.verify(token))


@pytest.mark.parametrize("off", [-MINUTE, MINUTE])
def test_a_clock_that_is_off_by_a_minute_refuses_proofs(issuer, runner, off):
    guard, key = made(issuer, Clock(NOW + off)), keys.generate("ES256")
    token = issuer.token(cnf={"jkt": key.kid}, iat=NOW - MINUTE)
    proof = sign_proof(key, method="GET", url=f"{AUDIENCE}/x", now=NOW, jti="1", access_token=token)
    headers = [(b"authorization", b"DPoP " + token.reveal_bytes()), (b"dpop", proof.reveal_bytes())]
    with pytest.raises(RefusedProof) as refused:
        runner.run(guard.admit(headers, b"", "studies:read", method="GET", path=b"/x"))
    assert "is a clock wrong?" in refused.value.detail
