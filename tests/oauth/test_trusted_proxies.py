"""keyfob.oauth.trusted_proxies: who is a proxy of ours, and what is too much to name."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth import trusted_proxies
from keyfob.oauth.trusted_proxies import NOBODY, WIDEST


@pytest.mark.parametrize(
    ("named", "written"),
    [
        ("", ""),
        ("192.0.2.1", "192.0.2.1"),
        (" 192.0.2.1 ,2001:DB8:0::1", "192.0.2.1, 2001:db8::1"),
        ("192.0.2.1/32,2001:db8::1/128", "192.0.2.1, 2001:db8::1"),
        ("10.42.0.0/16, 2001:db8::/48", "10.42.0.0/16, 2001:db8::/48"),
        ("::ffff:192.0.2.1, ::ffff:192.0.2.2/128", "192.0.2.1, 192.0.2.2"),
    ],
)
def test_addresses_and_networks_are_brought_into_their_one_form(named, written):
    assert trusted_proxies.write(named) == written
    assert trusted_proxies.read(written) == trusted_proxies.read(named)
    assert trusted_proxies.read([part for part in named.split(",") if part]) == trusted_proxies.read(named)
    assert bool(trusted_proxies.read(named)) is bool(written)


@pytest.mark.parametrize(
    ("named", "said"),
    [
        ("0.0.0.0/0", "is every address"),
        ("::/0", "is every address"),
        ("0.0.0.0", "is every address"),
        ("::", "is every address"),
        ("10.0.0.0/8", "is wider than /16"),
        ("10.42.0.0/15", "is wider than /16"),
        ("10.0.0.1/8", "is wider than /16"),
        ("2001:db8::/47", "is wider than /48"),
        ("10.42.0.1/16", "write 10.42.0.0/16"),
        ("2001:db8::1/64", "write 2001:db8::/64"),
        ("::ffff:10.42.0.0/112", "write it as IPv4"),
        ("lb.example", "is no address"),
        ("localhost", "is no address"),
        ("192.0.2.1:443", "is no address"),
        ("192.0.2.1 192.0.2.2", "is no address"),
        ("192.0.2.300", "is no address"),
        ("192.0.2.0/33", "is no address"),
        ("fe80::1%eth0", "is no address"),
        (" ", ""),
        ("192.0.2.1,", "has as number 2 what is no address"),
        (",192.0.2.1", "has as number 1 what is no address"),
        ("192.0.2.1, ::/0, x", "has as number 2 what is every address"),
    ],
)
def test_whatever_else_is_refused_and_told_what_to_do(named, said):
    if not said:
        assert trusted_proxies.read(named) == NOBODY
        return
    for way in (named, named.split(",")):
        with pytest.raises(ValueError, match=said):
            trusted_proxies.read(way)
    with pytest.raises(ValueError, match=said):
        trusted_proxies.write(named)


def test_only_what_was_named_is_trusted_in_whatever_form_the_peer_comes():
    proxies = trusted_proxies.read("192.0.2.1, 2001:db8::1, 10.42.0.0/16, 2001:db8:7::/64")
    for address in ("192.0.2.1", "::ffff:192.0.2.1", "2001:db8::1", "10.42.255.9", "::ffff:10.42.0.1", "2001:db8:7::9"):
        assert address in proxies
    for address in ("192.0.2.11", "192.0.2.2", "2001:db8::2", "10.43.0.1", "2001:db8:7:1::9", "::10.42.0.1", "-", ""):
        assert address not in proxies
        assert address not in NOBODY
    assert "2001:db8:7::9%eth0" not in proxies
    # One text is no row of characters.
    assert "192.0.2.1" not in trusted_proxies.read("192.0.2.11")
    assert trusted_proxies.read(None) == NOBODY


texts = st.text(max_size=20) | st.ip_addresses().map(str) | st.ip_addresses(network="10.0.0.0/7").map("{}/14".format)


@given(st.lists(texts, max_size=3).map(",".join))
def test_any_text_is_refused_or_names_networks_that_are_narrow_enough(named):
    try:
        proxies = trusted_proxies.read(named)
    except ValueError:
        return
    for network in map(ipaddress.ip_network, proxies.networks):
        assert network.prefixlen >= WIDEST[network.version]
        assert str(network.network_address) in proxies
        assert str(network.broadcast_address) in proxies
    assert all(address in proxies for address in proxies.addresses)
