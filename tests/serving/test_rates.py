"""So much at once, as much again in a time, for each network."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.serving.rates import Bucket, network_of

NOW = 1_000_000


@given(st.lists(st.integers(-1000, 1000), max_size=200))
def test_whatever_the_clock_does_no_more_passes_than_the_bucket_and_what_time_brought(steps):
    bucket, now, forward, passed = Bucket(5, 60), NOW, 0, 0
    for step in steps:
        now += step
        forward += max(0, step)
        wait = bucket.take("key", now)
        passed += wait == 0
        assert 0 <= wait <= 60
    assert passed <= 5 + forward * 5 / 60 + 1e-6


def test_a_network_is_an_ipv4_address_or_an_ipv6_64():
    assert network_of("192.0.2.1") != network_of("192.0.2.2")
    assert network_of("::ffff:192.0.2.1") == "192.0.2.1"
    assert network_of("2001:db8:1:2::3") == network_of("2001:db8:1:2:ffff::1") != network_of("2001:db8:1:3::3")
    assert network_of("fe80::1%eth0") == network_of("fe80::2")
    assert network_of("-") == "-"


def test_what_was_spent_beyond_the_bucket_is_a_debt_that_time_pays():
    bucket = Bucket(100, 10)
    assert bucket.spend("key", 100, NOW) == 0
    assert bucket.spend("key", 20, NOW) == pytest.approx(2.0)
    assert bucket.spend("other", 100, NOW) == 0
    assert bucket.spend("key", 0, NOW + 1) == pytest.approx(1.0)
    assert bucket.spend("key", 10, NOW + 3) == 0
    assert bucket.spend("key", 100, NOW + 1000) == 0


@given(st.lists(st.tuples(st.integers(0, 10_000), st.floats(0, 5)), max_size=100))
def test_whoever_waits_as_told_spends_no_more_than_the_bucket_and_what_time_brought(spent):
    bucket, now, total = Bucket(1000, 10), float(NOW), 0
    for amount, pause in spent:
        now += bucket.spend("key", amount, now) + pause
        total += amount
        assert total <= 1000 + (now - NOW) * 100 + 1e-3


@given(st.text(max_size=50) | st.ip_addresses().map(str))
def test_any_address_has_one_network(address: str):
    assert network_of(address) == network_of(address.partition("%")[0]) or "%" in address
    assert network_of(network_of(address)) == network_of(address)
