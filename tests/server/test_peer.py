"""Whose request it is: only a trusted proxy may say that it is another's."""

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth import trusted_proxies
from keyfob.server.peer import PeerReader

NOW = 1_000_000
FORWARDED = [(b"x-forwarded-for", b"198.51.100.7, 203.0.113.9")]
CLIENT, LIAR, PROXY, BEFORE = "203.0.113.9", "198.51.100.7", "192.0.2.1", "10.42.7.1"


def read(trusted: str, peer: str, *forwarded: str) -> str | None:
    headers = [(b"x-forwarded-for", value.encode()) for value in forwarded]
    return PeerReader(trusted_proxies.read(trusted)).read(peer, headers, now=NOW)


def test_without_a_trusted_proxy_headers_change_nothing_and_are_warned_of_once_an_hour(caplog):
    peers = PeerReader(trusted_proxies.NOBODY)
    with caplog.at_level(logging.WARNING, "keyfob.server"):
        for now in (NOW, NOW + 1, NOW + 3599):
            assert peers.read("192.0.2.1", FORWARDED, now=now) == "192.0.2.1"
        assert len(caplog.records) == 1
        peers.read("192.0.2.1", [(b"forwarded", b"for=198.51.100.7")], now=NOW + 3600)
        peers.read("192.0.2.1", [(b"host", b"x")], now=NOW + 9999)
    assert [record.message.partition(":")[0] for record in caplog.records] == ["proxy_headers_ignored"] * 2


def test_the_trusted_proxy_vouches_for_the_last_address_and_nobody_goes_around_it():
    """RFC 9700 §4.13: what a client wrote into a proxy's header counts for nothing."""
    peers = PeerReader(trusted_proxies.read("192.0.2.1"))
    assert peers.read("192.0.2.1", FORWARDED, now=NOW) == "203.0.113.9"
    assert peers.read("192.0.2.1", [], now=NOW) == "192.0.2.1"
    assert peers.read("192.0.2.1", [(b"x-forwarded-for", b"nonsense")], now=NOW) == "192.0.2.1"
    assert peers.read("192.0.2.2", FORWARDED, now=NOW) is None
    # Another header says nothing: a proxy that writes this one would pass the client's own on.
    assert peers.read("192.0.2.1", [(b"forwarded", b"for=203.0.113.9")], now=NOW) == "192.0.2.1"


@pytest.mark.parametrize("trusted", [f"{PROXY}, {BEFORE}", f"{PROXY},10.42.0.0/16"])
def test_of_a_chain_the_right_most_address_counts_that_is_no_proxy_of_ours(trusted):
    """RFC 9700 §4.13: each proxy of ours wrote what stands before its own address, and nothing further left."""
    assert read(trusted, PROXY, f"{LIAR}, {CLIENT}, {BEFORE}") == CLIENT
    assert read(trusted, PROXY, LIAR, CLIENT, BEFORE) == CLIENT
    assert read(trusted, PROXY, f"{LIAR}, {CLIENT}") == CLIENT
    assert read(trusted, BEFORE, f"{BEFORE}, {CLIENT}, {PROXY}") == CLIENT
    assert read(trusted, PROXY, f"{LIAR}, {CLIENT}, ::ffff:{BEFORE}") == CLIENT
    assert read(trusted, f"::ffff:{PROXY}", CLIENT) == CLIENT
    # What is no address says nothing: then it is the proxy that passed it on.
    assert read(trusted, PROXY, f"{LIAR}, nonsense, {BEFORE}") == BEFORE
    assert read(trusted, PROXY, f"{LIAR}, , {BEFORE}") == BEFORE
    assert read(trusted, PROXY, BEFORE) == BEFORE
    assert read(trusted, PROXY, f"{CLIENT}:4711") == PROXY
    for stranger in (CLIENT, "10.43.0.1", f"::ffff:{CLIENT}", "-", ""):
        assert read(trusted, stranger, CLIENT) is None


def test_a_chain_without_end_is_read_for_a_few_proxies():
    assert read(PROXY, PROXY, CLIENT, *[PROXY] * 7) == CLIENT
    assert read(PROXY, PROXY, CLIENT, *[PROXY] * 10_000) == PROXY


@given(st.lists(st.sampled_from([LIAR, PROXY, BEFORE, "nonsense", "", "::1"]), max_size=12), st.sampled_from([0, 1, 2]))
def test_nothing_that_a_client_writes_changes_what_is_believed_of_it(written, hops):
    """RFC 9700 §4.13: whatever stands left of what our proxies wrote."""
    assert read(f"{PROXY}, {BEFORE}", PROXY, *written, CLIENT, *[BEFORE] * hops) == CLIENT
