"""One API, tokens of several issuers: each is judged by its own issuer's keys and feed, and by nobody else's."""

import asyncio
from dataclasses import dataclass

import pytest

from keyfob.guard import Guard, IssuerUnavailable
from keyfob.oauth.errors import InvalidToken
from keyfob.oauth.revocation_feed import Subject
from keyfob.problem import Misuse
from keyfob.secret import Secret

AUDIENCE = "https://api.example"
NOW = 1_000_000


@dataclass
class Clock:
    now: int = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def issuers(serving_an_issuer):
    with serving_an_issuer() as one, serving_an_issuer() as other:
        yield one, other


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(issuers, clock) -> Guard:
    one, other = issuers
    other.resource_key = one.resource_key
    for issuer in issuers:
        issuer.offer_feed(clock)
    return Guard.discover(
        [one.url, other.url], audience=AUDIENCE, ca_file=one.ca, resource_key=one.resource_key, clock=clock
    )


@pytest.fixture
def runner():
    with asyncio.Runner() as runner:
        yield runner


def test_the_tokens_of_each_come_in_by_its_own_keys(guard, issuers, runner):
    """RFC 9068 §4, RFC 8725 §3.8: a key is an issuer's, whoever the token says it is from."""
    one, other = issuers
    for issuer in (one, other, one):
        assert runner.run(guard.verify(issuer.token())).issuer == issuer.url
        assert guard.check(issuer.token(), NOW).issuer == issuer.url
    for wrong in (one.token(iss=other.url), other.token(iss=one.url)):
        with pytest.raises(InvalidToken):
            runner.run(guard.verify(wrong))
    # A kid of the other's is nobody's here.
    with pytest.raises(InvalidToken):
        runner.run(guard.verify(one.token(key=other.key)))


def test_a_token_of_neither_is_refused_without_asking_anybody(guard, issuers, runner):
    for issuer in issuers:
        runner.run(guard.verify(issuer.token()))
    before = [len(issuer.asked) for issuer in issuers]
    for token in (issuers[0].token(iss="https://evil.example"), issuers[0].token(iss=1), issuers[0].token(iss=None)):
        with pytest.raises(InvalidToken):
            runner.run(guard.verify(token))
    assert [len(issuer.asked) for issuer in issuers] == before


@pytest.mark.parametrize(
    "text", ["", "a", "a.b.c", "a.e30.c", "a.W10.c", "a.eyJpc3MiOjF9.c", "....", "a." + "A" * 9000 + ".c"]
)
def test_what_says_no_issuer_is_no_token(guard, runner, text):
    with pytest.raises(InvalidToken):
        runner.run(guard.verify(Secret(text)))


def test_what_one_has_withdrawn_says_nothing_of_the_others_tokens(guard, issuers, clock, runner):
    one, other = issuers
    mine, theirs = one.token(), other.token()
    for token in (mine, theirs):
        runner.run(guard.verify(token))
    one.withdraw(Subject.TOKEN, "j")
    clock.now += 3
    runner.run(guard.verify(theirs))
    with pytest.raises(InvalidToken):
        runner.run(guard.verify(mine))


def test_one_that_is_away_stops_its_own_tokens_alone(guard, issuers, runner):
    one, other = issuers
    one.answers.clear()
    with pytest.raises(IssuerUnavailable):
        runner.run(guard.verify(one.token()))
    assert runner.run(guard.verify(other.token())).issuer == other.url


def test_a_guard_of_no_issuer_or_of_one_twice_is_not_made():
    for named in ([], ["https://auth.example", "https://auth.example"]):
        with pytest.raises(Misuse):
            Guard.discover(named, audience=AUDIENCE)


def test_use_is_told_to_the_issuer_of_the_token_alone(issuers, clock, runner):
    one, other = issuers
    told = {issuer.url: [] for issuer in issuers}
    other.resource_key = one.resource_key
    for issuer in issuers:
        issuer.offer_feed(clock)
        metadata = {
            "issuer": issuer.url, "token_endpoint": f"{issuer.url}/token", "jwks_uri": f"{issuer.url}/jwks",
            "keyfob_usage_endpoint": f"{issuer.url}/usage",
        }  # fmt: skip
        issuer.say(metadata)

        def take(form, url=issuer.url):
            told[url].append(form["report"])
            return 204, {}, b""

        issuer.answers["/usage"] = take
    guard = Guard.discover(
        [one.url, other.url], audience=AUDIENCE, ca_file=one.ca, resource_key=one.resource_key, clock=clock
    )
    headers = [(b"authorization", b"Bearer " + other.token().reveal_bytes())]
    runner.run(guard.admit(headers, b"", "studies:read", method="GET", route="/studies"))
    runner.run(guard.flush())
    assert any("/studies" in report for report in told[other.url])
    assert not any("/studies" in report for report in told[one.url])
