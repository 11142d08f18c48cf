"""Networks of addresses: a client's allow-list, and the coarse blocks by which a flood is counted."""

import functools
import ipaddress
from collections.abc import Mapping

_BLOCK_BITS = {4: 16, 6: 32}
_PLACE_BITS = {4: 24, 6: 48}
MAX_NETWORKS = 64


def parse(text: str) -> str:
    """`text`, a CIDR or a single address, in its one way to be written. Raises ValueError that says what is wrong."""
    try:
        network = ipaddress.ip_network(text.strip())
    except ValueError:
        try:
            meant = ipaddress.ip_network(text.strip(), strict=False)
        except ValueError:
            raise ValueError("is no address and no network such as 192.0.2.0/24 or 2001:db8::/48") from None
        raise ValueError(f"has bits set beyond its prefix: {meant} is meant?") from None
    if network.prefixlen == 0:
        raise ValueError("is every address: leave the list away instead")
    if isinstance(network, ipaddress.IPv6Network) and network.network_address.ipv4_mapped is not None:
        raise ValueError("is an IPv4 network in IPv6's form: write it as IPv4")
    return str(network)


@functools.lru_cache(16_384)
def admits(allowed: tuple[str, ...], address: str) -> bool:
    """Whether a client with the allow-list `allowed` may come from `address`. No list: from anywhere.

    Kept, so that a long list takes no more time than none, whoever asks.
    """
    if not allowed:
        return True
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return False
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return any(found in ipaddress.ip_network(text) for text in allowed)


def are_within(wanted: tuple[str, ...], allowed: tuple[str, ...]) -> bool:
    """Whether whoever `wanted` admits is admitted by `allowed`; an empty list admits from anywhere."""
    if not allowed:
        return True
    known = [ipaddress.ip_network(text) for text in allowed]
    return bool(wanted) and all(
        any(isinstance(one, type(other)) and one.subnet_of(other) for other in known)  # type: ignore[arg-type]
        for one in map(ipaddress.ip_network, wanted)
    )


def block_of(address: str) -> str:
    """The IPv4 /16 or IPv6 /32 of `address`: what one provider has, and an attacker seldom has many of."""
    return _around(address, _BLOCK_BITS)


def place_of(address: str) -> str:
    """The IPv4 /24 or IPv6 /48 of `address`: what one site has."""
    return _around(address, _PLACE_BITS)


def _around(address: str, bits: Mapping[int, int]) -> str:
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return "-"
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    return str(ipaddress.ip_network((found, bits[found.version]), strict=False))
