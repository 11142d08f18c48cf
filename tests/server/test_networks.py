"""keyfob.server.networks: allow-lists are exact to the bit, and one network has one way to be written."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.server.networks import admits, block_of, parse


@pytest.mark.parametrize(
    ("typed", "written"),
    [
        ("192.0.2.0/24", "192.0.2.0/24"),
        (" 192.0.2.7 ", "192.0.2.7/32"),
        ("192.0.2.0/255.255.255.0", "192.0.2.0/24"),
        ("2001:DB8:0:0::/48", "2001:db8::/48"),
        ("::1", "::1/128"),
    ],
)
def test_a_network_is_written_in_one_way(typed, written):
    assert parse(typed) == written
    assert parse(written) == written


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("192.0.2.1/24", "192.0.2.0/24 is meant"),
        ("0.0.0.0/0", "every address"),
        ("::/0", "every address"),
        ("::ffff:192.0.2.0/120", "write it as IPv4"),
        ("localhost", "no address"),
        ("192.0.2.0/33", "no address"),
        ("", "no address"),
    ],
)
def test_any_other_is_refused_with_what_is_wrong(typed, said):
    with pytest.raises(ValueError, match=said):
        parse(typed)


def test_the_first_and_last_address_are_in_and_their_neighbours_out():
    allowed = ("192.0.2.0/24", "2001:db8:7::/48")
    for address in ("192.0.2.0", "192.0.2.255", "::ffff:192.0.2.255", "2001:db8:7::", "2001:db8:7:ffff:ffff::1"):
        assert admits(allowed, address), address
    for address in ("192.0.1.255", "192.0.3.0", "2001:db8:6:ffff::", "2001:db8:8::", "-", "", "192.0.2", "::"):
        assert not admits(allowed, address), address


def test_no_list_is_anywhere():
    assert admits((), "192.0.2.7")
    assert admits((), "-")


@given(st.ip_addresses(), st.integers(1, 32))
def test_an_address_is_in_its_own_network_and_block(address, prefix):
    if address.version == 4 or address.ipv4_mapped is None:  # a mapped one is an IPv4 address
        network = ipaddress.ip_network((address, prefix), strict=False)
        assert admits((parse(str(network)),), str(address))
    assert "/" in block_of(str(address))


@given(st.text(max_size=30))
def test_nothing_but_a_value_error_comes_of_what_is_typed(typed):
    try:
        assert parse(parse(typed)) == parse(typed)
    except ValueError:
        return
