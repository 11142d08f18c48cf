"""Which addresses a partner's host may lead us to: none of an inner network, where it would knock at our own doors."""

import ipaddress
from collections.abc import Iterable, Sequence

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
_CARRY_IPV4 = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))
"""IPv6 networks whose addresses are a way to some IPv4 address (RFC 6052, 8215, 3056, 4380), also to an inner one."""


class Inner(ValueError):
    """The host is in an inner network, or has no address."""


def networks(texts: Iterable[str]) -> tuple[Network, ...]:
    return tuple(map(ipaddress.ip_network, texts))


def choose(answers: Sequence[tuple[object, ...]], inner: Sequence[Network]) -> Address:
    """One of what getaddrinfo answered. `inner` networks are permitted all the same. Raises Inner."""
    addresses = [ipaddress.ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers]  # type: ignore[index]  # a sockaddr
    # One inner address among several is enough: which of them is taken must not be chance.
    if not addresses or not all(_may_be_asked(one, inner) for one in addresses):
        raise Inner
    return addresses[0]


def in_url(address: Address, port: int) -> str:
    """For the place of the host in a URL."""
    return f"[{address}]:{port}" if isinstance(address, ipaddress.IPv6Address) else f"{address}:{port}"


def _may_be_asked(address: Address, inner: Sequence[Network]) -> bool:
    plain = address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address
    is_outer = plain.is_global and not plain.is_multicast and not any(plain in one for one in _CARRY_IPV4)
    return is_outer or any(plain in network for network in inner)
