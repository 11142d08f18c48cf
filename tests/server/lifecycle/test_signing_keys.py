"""Next, current, retired, gone: by dates alone, and at each boundary second."""

from hypothesis import given
from hypothesis import strategies as st

from keyfob.server.lifecycle import signing_keys
from keyfob.server.lifecycle.signing_keys import OUTLIVES, PUBLISHED_AHEAD, Phase
from keyfob.server.storage.records import Purpose, SigningKeyRecord, State

NOW = 1_000_000


def key(kid: str, not_before: int, created_at: int = 0) -> SigningKeyRecord:
    return SigningKeyRecord(kid, Purpose.ACCESS_TOKENS, "ES256", State.ACTIVE, "{}", b"", not_before, created_at)


def shown(keys: list[SigningKeyRecord], now: int) -> dict[str, str]:
    return {one.kid: phase.value for one, phase in signing_keys.phases(keys, now)}


def test_a_successor_signs_from_its_second_on_and_the_old_key_outlives_its_last_token():
    keys = [key("old", 0), key("new", NOW)]
    assert shown(keys, NOW - 1) == {"new": "next", "old": "current"}
    assert shown(keys, NOW) == {"new": "current", "old": "retired"}
    assert shown(keys, NOW + OUTLIVES - 1) == {"new": "current", "old": "retired"}
    assert shown(keys, NOW + OUTLIVES) == {"new": "current", "old": "gone"}


def test_a_clock_before_every_key_still_has_one_that_signs():
    assert shown([key("first", NOW)], NOW - 1) == {"first": "current"}
    assert shown([], NOW) == {}


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 3)), min_size=1, max_size=8), st.integers(-5, 2000))
def test_exactly_one_signs_and_it_is_published(dates, now):
    keys = [key(f"k{number}", *pair) for number, pair in enumerate(dates)]
    found = [phase for _, phase in signing_keys.phases(keys, now)]
    assert found.count(Phase.CURRENT) == 1
    order = list(Phase)
    assert found == sorted(found, key=order.index)


def test_a_successor_is_due_so_early_that_it_can_be_known_when_it_signs():
    keys, period = [key("old", NOW)], 30 * signing_keys.DAY
    at = NOW + period - PUBLISHED_AHEAD
    assert not signing_keys.is_due(keys, at - 1, period=period)
    assert signing_keys.is_due(keys, at, period=period)
    assert not signing_keys.is_due([*keys, key("new", at + 1)], at, period=period)
    assert not signing_keys.is_due(keys, at, period=0)
    assert signing_keys.is_due([], at, period=0)
