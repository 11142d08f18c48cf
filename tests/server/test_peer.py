"""Whose request it is: only the trusted proxy may say that it is another's."""

import logging

from keyfob.server.peer import PeerReader

NOW = 1_000_000
FORWARDED = [(b"x-forwarded-for", b"198.51.100.7, 203.0.113.9")]


def test_without_a_trusted_proxy_headers_change_nothing_and_are_warned_of_once_an_hour(caplog):
    peers = PeerReader(None)
    with caplog.at_level(logging.WARNING, "keyfob.server"):
        for now in (NOW, NOW + 1, NOW + 3599):
            assert peers.read("192.0.2.1", FORWARDED, now=now) == "192.0.2.1"
        assert len(caplog.records) == 1
        peers.read("192.0.2.1", [(b"forwarded", b"for=198.51.100.7")], now=NOW + 3600)
        peers.read("192.0.2.1", [(b"host", b"x")], now=NOW + 9999)
    assert [record.message.partition(":")[0] for record in caplog.records] == ["proxy_headers_ignored"] * 2


def test_the_trusted_proxy_vouches_for_the_last_address_and_nobody_goes_around_it():
    """RFC 9700 §4.13: what a client wrote into a proxy's header counts for nothing."""
    peers = PeerReader("192.0.2.1")
    assert peers.read("192.0.2.1", FORWARDED, now=NOW) == "203.0.113.9"
    assert peers.read("192.0.2.1", [], now=NOW) == "192.0.2.1"
    assert peers.read("192.0.2.1", [(b"x-forwarded-for", b"nonsense")], now=NOW) == "192.0.2.1"
    assert peers.read("192.0.2.2", FORWARDED, now=NOW) is None
