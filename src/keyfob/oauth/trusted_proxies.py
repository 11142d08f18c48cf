"""RFC 9700 §4.13: which peers are our own reverse proxies, whose word on a client counts. Reads no header itself."""

import functools
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

WIDEST = {4: 16, 6: 48}
"""Bits of the prefix that a network has at least: whoever is in it may say that he is anybody."""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True, slots=True)
class TrustedProxies:
    """Addresses by themselves, and networks, each in its one way to be written; `address in` it is cheap."""

    addresses: frozenset[str] = frozenset()
    networks: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.addresses or self.networks)

    def __contains__(self, address: str) -> bool:
        # The usual case first, without any work: it is asked for each connection and each request.
        return address in self.addresses or _is_among(address, self.addresses, self.networks)


NOBODY = TrustedProxies()

Proxies = TrustedProxies | Sequence[str] | None
"""How a caller may name them: read already, texts, one text with commas, or nobody."""


def check(text: str) -> str:
    """`text`, an address or a network, in its one way to be written. Raises ValueError that says what to do."""
    try:
        given = ipaddress.ip_interface(text.strip())
    except ValueError:
        given = None
    # A zone says on which link an address is: of that no peer tells.
    if given is None or "%" in text:
        raise ValueError(
            "is no address and no network: write one such as 192.0.2.1, 2001:db8::1 or 10.42.0.0/16 (no port, and no"
            " name, which may lead elsewhere tomorrow)"
        )
    network: _Network = given.network
    if network.prefixlen == 0 or network.network_address.is_unspecified:
        raise ValueError("is every address, so that anybody could say that he is another: name the proxies alone")
    if network.prefixlen < WIDEST[network.version]:
        raise ValueError(
            f"is wider than /{WIDEST[network.version]}: name the proxies, or the narrower networks that they are in"
        )
    if given.ip != network.network_address:
        raise ValueError(f"has bits set beyond its prefix: write {network}, or the address alone")
    if network.prefixlen == network.max_prefixlen:
        return str(_plain(given.ip))
    if isinstance(given.ip, ipaddress.IPv6Address) and given.ip.ipv4_mapped is not None:
        raise ValueError("is an IPv4 network in IPv6's form: write it as IPv4")
    return str(network)


def write(named: str) -> str:
    """What is parted by commas in `named`, each in its one way to be written; empty: nobody. Raises ValueError."""
    parts = named.split(",") if named.strip() else []
    return ", ".join(_checked(part, number, len(parts)) for number, part in enumerate(parts, start=1))


def read(named: Proxies) -> TrustedProxies:
    """The proxies that are `named`. Raises ValueError that says what to do."""
    if isinstance(named, TrustedProxies):
        return named
    return _read(named if isinstance(named, str) else ",".join(named or ()))


@functools.lru_cache(64)
def _read(named: str) -> TrustedProxies:
    parts = write(named).split(", ") if named.strip() else []
    return TrustedProxies(
        frozenset(part for part in parts if "/" not in part), tuple(part for part in parts if "/" in part)
    )


def _checked(part: str, number: int, of: int) -> str:
    try:
        return check(part)
    except ValueError as wrong:
        raise ValueError(f"has as number {number} what {wrong}" if of > 1 else str(wrong)) from None


@functools.lru_cache(4096)
def _is_among(address: str, addresses: frozenset[str], networks: tuple[str, ...]) -> bool:
    try:
        found = _plain(ipaddress.ip_address(address))
    except ValueError:
        return False
    if "%" in address:
        return False  # a zone, with which no proxy can be named
    return str(found) in addresses or any(found in network for network in _parsed(networks))


def _plain(address: _Address) -> _Address:
    """On a socket for both families an IPv4 peer has an address in IPv6's form."""
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address


@functools.lru_cache(64)
def _parsed(networks: tuple[str, ...]) -> tuple[_Network, ...]:
    return tuple(map(ipaddress.ip_network, networks))
