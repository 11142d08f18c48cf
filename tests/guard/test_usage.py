"""Use is told in the background, once each, and never at a call's cost."""

import asyncio

import pytest

from keyfob.guard import Guard
from keyfob.guard.usage import EVERY, Usage
from keyfob.oauth import usage_report
from keyfob.oauth.errors import InsufficientScope
from keyfob.oauth.usage_report import MAX_USES
from keyfob.refreshing import CannotFetch

AUDIENCE = "https://api.example"
NOW = 1_000_000


class Clock:
    now = NOW

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Taker:
    """Takes reports as the issuer does, or fails as it may."""

    def __init__(self) -> None:
        self.seen = []
        self.failing = None

    async def __call__(self, report) -> None:
        self.seen.append(report)
        if self.failing is not None:
            raise self.failing


def made(taker, clock) -> Usage:
    return Usage(taker, clock=clock, entropy=bytes)


def test_uses_are_summed_and_told_once_a_minute(clock):
    taker = Taker()

    async def scene():
        usage = made(taker, clock)
        for _ in range(1000):
            usage.count("cl_1", "a:read", "GET", "/a", clock())
        usage.count("cl_1", "a:read b:read", "GET", "/b", clock())
        await asyncio.sleep(0)
        assert taker.seen == []
        clock.now += EVERY
        usage.count("cl_2", "a:read", "GET", "/a", clock())
        await usage.flush()

    asyncio.run(scene())
    first, rest = taker.seen
    assert {(use.client_id, use.scope, use.route): use.count for use in first.uses} == {
        ("cl_1", "a:read", "/a"): 1000,
        ("cl_1", "a:read", "/b"): 1,
        ("cl_1", "b:read", "/b"): 1,
        ("cl_2", "a:read", "/a"): 1,
    }
    assert (first.began_at, first.until, first.sequence) == (NOW, NOW + EVERY, 1)
    assert (rest.began_at, rest.uses, rest.sequence) == (NOW + EVERY, (), 2)


@pytest.mark.parametrize("failing", [CannotFetch("away"), RuntimeError("a bug"), TimeoutError()])
def test_what_was_not_taken_goes_again_under_its_own_number(clock, failing):
    taker = Taker()

    async def scene():
        usage = made(taker, clock)
        usage.count("cl_1", "a:read", "GET", "/a", clock())
        taker.failing = failing
        await usage.flush()
        usage.count("cl_1", "a:read", "GET", "/a", clock())
        taker.failing = None
        await usage.flush()

    asyncio.run(scene())
    assert [report.sequence for report in taker.seen] == [1, 1, 2]
    assert taker.seen[0] == taker.seen[1]
    assert sum(use.count for report in taker.seen[1:] for use in report.uses) == 2


def test_the_last_report_does_not_keep_the_end_waiting_and_tells_nothing_twice(clock, monkeypatch):
    monkeypatch.setattr("keyfob.guard.usage._AT_THE_END", 0.05)
    seen = []

    async def hangs(report) -> None:
        seen.append(report)
        if len(seen) == 1:
            await asyncio.Event().wait()

    async def scene():
        usage = made(hangs, clock)
        clock.now += EVERY
        usage.count("cl_1", "a:read", "GET", "/a", clock())
        await asyncio.sleep(0)
        usage.count("cl_1", "b:read", "GET", "/b", clock())
        await usage.flush()

    asyncio.run(scene())
    assert [report.sequence for report in seen] == [1, 1, 2]
    assert [use.scope for report in seen[1:] for use in report.uses] == ["a:read", "b:read"]


def test_more_than_fits_goes_in_several_and_memory_stays_bounded(clock, caplog):
    taker = Taker()

    async def scene():
        usage = made(taker, clock)
        for number in range(7000):
            usage.count(f"cl_{number}", "a:read", "GET", "/a", clock())
        taker.failing = CannotFetch("away")
        for _ in range(50):
            await usage.flush()
            usage.count("cl_1", "a:read", "GET", "/a", clock())
        taker.failing = None
        taker.seen.clear()
        await usage.flush()

    asyncio.run(scene())
    assert max(len(report.uses) for report in taker.seen) == MAX_USES
    assert sum(use.count for report in taker.seen for use in report.uses) <= 5000 + 50
    assert caplog.text.count("usage_not_counted") == 1


def test_a_guard_tells_the_template_of_the_route_and_only_what_it_admitted(issuer, clock):
    issuer.offer_feed(clock)
    metadata = {"keyfob_usage_endpoint": f"{issuer.url}/usage"}
    issuer.say(
        {"issuer": issuer.url, "token_endpoint": f"{issuer.url}/token", "jwks_uri": f"{issuer.url}/jwks"} | metadata
    )
    told = []

    def take(form):
        told.append(usage_report.read(form))
        return 204, {}, b""

    issuer.answers["/usage"] = take
    guard = Guard.discover(
        issuer.url, audience=AUDIENCE, ca_file=issuer.ca, clock=clock, resource_key=issuer.resource_key
    )
    presented = [(b"authorization", b"Bearer " + issuer.token(scope="a:read b:read").reveal_bytes())]

    async def scene():
        await guard.admit(presented, b"", "a:read", method="GET", path=b"/people/secret", route="/people/{person}")
        await guard.admit(presented, b"", "b:read", method="GET", path=b"/people/secret")
        with pytest.raises(InsufficientScope):
            await guard.admit(presented, b"", "c:read", method="GET", path=b"/x", route="/x")
        await guard.flush()

    asyncio.run(scene())
    assert [(use.scope, use.route, use.count) for use in told[0].uses] == [
        ("a:read", "/people/{person}", 1),
        ("b:read", "-", 1),
    ]


def test_an_issuer_that_takes_no_reports_is_told_none(issuer, clock):
    issuer.offer_feed(clock)
    guard = Guard.discover(
        issuer.url, audience=AUDIENCE, ca_file=issuer.ca, clock=clock, resource_key=issuer.resource_key
    )
    presented = [(b"authorization", b"Bearer " + issuer.token(scope="a:read").reveal_bytes())]

    async def scene():
        await guard.admit(presented, b"", "a:read")
        await guard.flush()

    asyncio.run(scene())
    assert "/usage" not in issuer.asked
