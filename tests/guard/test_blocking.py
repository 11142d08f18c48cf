"""The guard for handlers that block: a token that was admitted before is judged in their own thread, as strictly."""

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from keyfob.guard import Guard
from keyfob.guard.blocking import BlockingGuard
from keyfob.guard.presented import Presented
from keyfob.jose import keys
from keyfob.oauth import usage_report
from keyfob.oauth.errors import InsufficientScope, InvalidRequest, InvalidToken
from keyfob.oauth.revocation_feed import Subject

AUDIENCE = "https://api.example"
NOW = 1_000_000


@dataclass
class Clock:
    now: int = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def guard(issuer, clock) -> Guard:
    issuer.offer_feed(clock)
    return Guard.discover(
        issuer.url, audience=AUDIENCE, ca_file=issuer.ca, resource_key=issuer.resource_key, clock=clock
    )


def bearing(token, *, path=b"/x", query=b"", route="") -> Presented:
    return Presented(((b"authorization", b"Bearer " + token.reveal_bytes()),), query, "GET", path, None, route)


def recalls(guard, presented, scope="studies:read") -> bool:
    return presented.recall(guard, scope) is not None


def test_what_was_admitted_is_known_without_the_loop_for_as_long_as_the_feed_is_new(guard, issuer, clock):
    judge, presented = BlockingGuard(guard), bearing(issuer.token())
    assert not recalls(guard, presented)
    token = judge.admit(presented, "studies:read")
    assert presented.recall(guard, "studies:read") is token
    clock.now += 1
    assert recalls(guard, presented)
    clock.now += 1
    assert not recalls(guard, presented), "it is time for a newer feed"
    clock.now += 1
    assert judge.admit(presented, "studies:read") is token and recalls(guard, presented)


def test_what_is_not_good_is_not_known_and_is_refused_as_ever(guard, issuer, clock):
    judge = BlockingGuard(guard)
    token, bound = issuer.token(), issuer.token(cnf={"jkt": "x"}, jti="bound")
    judge.admit(bearing(token), "studies:read")
    with pytest.raises(InvalidToken):
        judge.admit(bearing(bound), "studies:read")
    refused = {
        bearing(bound): InvalidToken,
        bearing(token, path=b"/a%2fb"): InvalidRequest,
        bearing(token, query=b"access_token=x"): InvalidRequest,
        Presented(bearing(token).headers * 2, b"", "GET", b"/x"): InvalidRequest,
        bearing(issuer.token(keys.generate("ES256"))): InvalidToken,
    }
    for presented, error in refused.items():
        assert not recalls(guard, presented)
        with pytest.raises(error):
            judge.admit(presented, "studies:read")
    assert not recalls(guard, bearing(token), "studies:read studies:write")
    with pytest.raises(InsufficientScope):
        judge.admit(bearing(token), "studies:write")


def test_a_withdrawn_an_expired_token_and_one_of_a_key_that_went_is_not_known(guard, issuer, clock):
    judge, first = BlockingGuard(guard), bearing(issuer.token(jti="first"))
    second = bearing(issuer.token(jti="second", exp=NOW + 4))
    third = bearing(issuer.token(jti="third", exp=NOW + 900))
    for presented in (first, second, third):
        judge.admit(presented, "studies:read")
    issuer.withdraw(Subject.TOKEN, "first")
    clock.now += 3
    judge.admit(second, "studies:read")
    assert recalls(guard, second) and not recalls(guard, first)
    clock.now += 1
    assert not recalls(guard, second) and recalls(guard, third)
    issuer.publish(keys.generate("ES256"))
    clock.now = NOW + 600
    with pytest.raises(InvalidToken):
        judge.admit(third, "studies:read")
    assert not recalls(guard, third)


def test_uses_from_many_threads_are_counted_once_each(issuer, clock):
    issuer.offer_feed(clock)
    usage = {"keyfob_usage_endpoint": f"{issuer.url}/usage"}
    issuer.say(
        {"issuer": issuer.url, "token_endpoint": f"{issuer.url}/token", "jwks_uri": f"{issuer.url}/jwks"} | usage
    )
    told = []

    def take(form):
        told.append(usage_report.read(form))
        return 204, {}, b""

    issuer.answers["/usage"] = take
    guard = Guard.discover(
        issuer.url, audience=AUDIENCE, ca_file=issuer.ca, resource_key=issuer.resource_key, clock=clock
    )
    judge, presented = BlockingGuard(guard), bearing(issuer.token(), route="/x")
    judge.admit(presented, "studies:read")
    with ThreadPoolExecutor(8) as threads:
        assert all(threads.map(lambda _: judge.admit(presented, "studies:read"), range(400)))
    clock.now += 2
    judge.admit(presented, "studies:read")  # through the loop, which counts what waited
    asyncio.run_coroutine_threadsafe(guard.flush(), judge._started()).result()
    assert [(use.route, use.count) for report in told for use in report.uses] == [("/x", 402)]


def test_a_new_key_set_makes_what_was_admitted_unknown_until_it_is_verified_anew(issuer, clock):
    guard = Guard.discover(issuer.url, audience=AUDIENCE, ca_file=issuer.ca, clock=clock)
    judge, presented = BlockingGuard(guard), bearing(issuer.token(exp=NOW + 2000))
    judge.admit(presented, "studies:read")
    clock.now += 599
    assert recalls(guard, presented)
    issuer.publish(issuer.key, keys.generate("ES256"))
    clock.now += 1
    assert not recalls(guard, presented)
    judge.admit(bearing(issuer.token(jti="other", iat=clock.now, exp=NOW + 2000)), "studies:read")
    assert not recalls(guard, presented)
    judge.admit(presented, "studies:read")
    assert recalls(guard, presented)


def test_a_process_that_was_forked_does_not_count_what_its_parent_will_tell(guard, issuer):
    judge, presented = BlockingGuard(guard), bearing(issuer.token())
    for _ in range(3):
        judge.admit(presented, "studies:read")
    assert len(judge._used) == 2
    child = os.fork()
    if child == 0:
        os._exit(len(judge._used))
    assert os.waitpid(child, 0)[1] == 0
    assert len(judge._used) == 2


def test_who_wants_no_reports_has_none(issuer, clock):
    key = issuer.resource_key
    options = {"audience": AUDIENCE, "ca_file": issuer.ca, "clock": clock, "resource_key": key}
    assert Guard.discover(issuer.url, **options).tells_use
    silent = Guard.discover(issuer.url, report_usage=False, **options)
    assert not silent.tells_use and not Guard.discover(issuer.url, audience=AUDIENCE, ca_file=issuer.ca).tells_use
