"""What others publish over HTTPS, fetched with the care that a URL which is not ours needs.

Its certificate is verified, no redirect followed, no inner network asked (a name that leads there would let whoever
names it knock at our own doors), no proxy, and what comes is bounded: so many bytes, five seconds in all.
"""

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from keyfob.refreshing import CannotFetch

_HTTPS = 443
_DEADLINE = 5.0
_CARRY_IPV4 = tuple(map(ipaddress.ip_network, ("64:ff9b::/96", "64:ff9b:1::/48", "2002::/16", "2001::/32")))
"""IPv6 networks whose addresses are a way to some IPv4 address (RFC 6052, 8215, 3056, 4380), also to an inner one."""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Fetcher:
    """`inner`: networks (CIDR) that may be fetched from all the same."""

    def __init__(self, context: Callable[[], ssl.SSLContext], *, inner: Sequence[str]) -> None:
        self._context = context
        self._inner = tuple(map(ipaddress.ip_network, inner))

    async def fetch(self, url: str, *, max_bytes: int) -> bytes:
        """The body of the answer 200. Raises CannotFetch, which says why."""
        try:
            async with asyncio.timeout(_DEADLINE):
                return await self._fetch(url, max_bytes)
        except TimeoutError as late:
            raise CannotFetch(f"{url} gave no whole answer within {_DEADLINE:.0f} s") from late

    async def _fetch(self, url: str, max_bytes: int) -> bytes:
        import httpx2  # only who fetches needs it

        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or _HTTPS
        address = await self._outer_address(host, port)
        # By the address that was looked at: asked twice, a name may lead elsewhere. TLS still verifies the name.
        place = f"[{address}]" if isinstance(address, ipaddress.IPv6Address) else str(address)
        target = parts._replace(netloc=f"{place}:{port}").geturl()
        try:
            async with (
                httpx2.AsyncClient(verify=self._context(), trust_env=False, follow_redirects=False) as client,
                client.stream(
                    "GET",
                    target,
                    headers={"host": parts.netloc, "accept": "application/json"},
                    extensions={"sni_hostname": host},
                ) as response,
            ):
                if response.status_code != 200:
                    raise CannotFetch(f"{url} answered {response.status_code}")
                body = b""
                async for part in response.aiter_bytes():
                    body += part
                    if len(body) > max_bytes:
                        raise CannotFetch(f"{url} answered with more than {max_bytes} bytes")
        except httpx2.HTTPError as failed:
            raise CannotFetch(f"{url} cannot be reached: {type(failed).__name__} {failed}".strip()) from failed
        return body

    async def _outer_address(self, host: str, port: int) -> _Address:
        try:
            answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as failed:
            raise CannotFetch(f"the host {host} is not found: {failed.strerror}") from failed
        addresses = [ipaddress.ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers]
        # One inner address among several is enough: which of them is taken must not be chance.
        if not addresses or not all(map(self._may_be_asked, addresses)):
            raise CannotFetch(f"the host {host} is in an inner network (keys.jwks_uri_networks could permit it)")
        return addresses[0]

    def _may_be_asked(self, address: _Address) -> bool:
        plain = address.ipv4_mapped or address if isinstance(address, ipaddress.IPv6Address) else address
        is_outer = plain.is_global and not plain.is_multicast and not any(plain in one for one in _CARRY_IPV4)
        return is_outer or any(plain in network for network in self._inner)
