"""Failures slow further failures, of known and unknown ids alike, and never a good secret."""

import asyncio

import pytest

from keyfob.oauth.client_authentication import Method, PresentedCredential
from keyfob.oauth.errors import InvalidClient, InvalidRequest, TooManyRequests
from keyfob.secret import Secret
from keyfob.server.throttle import MAX_IN_A_ROW, Throttle

NOW = 1_000_000
HERE = "192.0.2.1"


def throttle(*, failures: int = 5, tokens: int = 3) -> Throttle:
    return Throttle(failures=failures, tokens=tokens, key=bytes(32))


def presented(number: int, client_id: str = "cl_1") -> PresentedCredential:
    return PresentedCredential(client_id, Method.CLIENT_SECRET_BASIC, Secret(f"guess {number}"))


def answers(
    slowing: Throttle, count: int, *, client_id: str = "cl_1", address: str = HERE, now: int = NOW
) -> list[int]:
    """The statuses of so many different wrong secrets."""
    return [
        slowing.slow_down(InvalidClient(), presented(number, client_id), address=address, now=now).status
        for number in range(count)
    ]


def test_the_failures_of_a_network_pass_until_there_are_too_many_in_a_minute():
    """RFC 6749 §2.3.1: an endpoint that takes secrets is protected against guessing."""
    slowing = throttle()
    assert answers(slowing, 7) == [401] * 5 + [429] * 2
    assert answers(slowing, 2, client_id="cl_other") == [429] * 2
    assert answers(slowing, 1, address="192.0.2.2") == [401]
    assert answers(slowing, 2, client_id="cl_third", now=NOW + 12) == [401, 429]
    assert answers(slowing, 6, client_id="cl_fourth", now=NOW + 12 + 60) == [401] * 5 + [429]


def test_the_answer_says_when_the_next_attempt_is_welcome():
    slowing = throttle()
    answers(slowing, 5)
    refused = slowing.slow_down(InvalidClient(detail="wrong"), presented(9), address=HERE, now=NOW)
    assert isinstance(refused, TooManyRequests)
    assert (refused.retry_after, refused.detail) == (12, "wrong")
    assert answers(slowing, 1, client_id="cl_2", now=NOW + 11) == [429]
    assert answers(slowing, 1, client_id="cl_3", now=NOW + 12) == [401]


def test_a_hundred_failures_in_a_row_of_one_client_wait_longer_and_its_success_ends_it():
    slowing = throttle(failures=10_000)
    assert answers(slowing, MAX_IN_A_ROW + 1) == [401] * MAX_IN_A_ROW + [429]
    assert answers(slowing, 1, client_id="cl_2") == [401]
    assert answers(slowing, 1, address="192.0.2.2") == [401]
    slowing.admit("cl_1", address=HERE, now=NOW)
    assert answers(slowing, 1, now=NOW + 2) == [401]


def test_the_same_secret_within_a_second_is_one_attempt():
    """A library that tries Basic and then the body."""
    slowing = throttle(failures=2)
    for number in range(2):
        for _ in range(2):
            refused = slowing.slow_down(InvalidClient(), presented(number), address=HERE, now=NOW)
            assert refused.status == 401
    assert slowing.slow_down(InvalidClient(), presented(2), address=HERE, now=NOW).status == 429
    # It is counted again every second: a loop of one wrong secret is no free ride.
    slowing = throttle(failures=2)
    loop = [slowing.slow_down(InvalidClient(), presented(0), address=HERE, now=NOW + 2 * n).status for n in range(3)]
    assert loop == [401, 401, 429]


def test_other_refusals_are_said_as_they_are():
    slowing = throttle(failures=1)
    answers(slowing, 1)
    for _ in range(3):
        assert slowing.slow_down(InvalidRequest("x"), presented(1), address=HERE, now=NOW).status == 400
        assert slowing.slow_down(InvalidClient(), None, address=HERE, now=NOW).status == 401


def test_a_client_has_so_many_tokens_a_minute():
    slowing = throttle(tokens=3)
    for _ in range(3):
        slowing.admit("cl_1", address=HERE, now=NOW)
    with pytest.raises(TooManyRequests) as refused:
        slowing.admit("cl_1", address=HERE, now=NOW)
    assert refused.value.retry_after == 20
    slowing.admit("cl_2", address=HERE, now=NOW)
    slowing.admit("cl_1", address=HERE, now=NOW + 20)


def test_zero_is_no_limit():
    slowing = throttle(tokens=0)
    for _ in range(10_000):
        slowing.admit("cl_1", address=HERE, now=NOW)


def test_two_thousand_refusals_are_kept_back_at_a_time_and_what_comes_beyond_is_said_at_once():
    """What waits costs its connection: there is a bound to that, too."""

    async def crowd() -> None:
        kept = throttle()
        waiting = [asyncio.create_task(kept.hold()) for _ in range(2_000)]
        await asyncio.sleep(0)
        await kept.hold()  # gives nobody else a turn
        assert not any(task.done() for task in waiting)
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)
        again = asyncio.create_task(kept.hold())
        await asyncio.sleep(0)
        assert not again.done()
        again.cancel()

    asyncio.run(crowd())
