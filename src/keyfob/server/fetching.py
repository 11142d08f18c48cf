"""What others publish over HTTPS, fetched with the care that a URL which is not ours needs.

Its certificate is verified, no redirect followed, no inner network asked (a name that leads there would let whoever
names it knock at our own doors), no proxy, and what comes is bounded: so many bytes, five seconds in all.
"""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from keyfob.refreshing import CannotFetch
from keyfob.server import outward
from keyfob.server.outward import Address, Inner

_HTTPS = 443
_DEADLINE = 5.0


class Fetcher:
    """`inner`: networks (CIDR) that may be fetched from all the same."""

    def __init__(self, context: Callable[[], ssl.SSLContext], *, inner: Sequence[str]) -> None:
        self._context = context
        self._inner = outward.networks(inner)

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
        target = parts._replace(netloc=outward.in_url(address, port)).geturl()
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

    async def _outer_address(self, host: str, port: int) -> Address:
        try:
            answers = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
        except OSError as failed:
            raise CannotFetch(f"the host {host} is not found: {failed.strerror}") from failed
        try:
            return outward.choose(answers, self._inner)
        except Inner:
            inner = f"the host {host} is in an inner network (keys.jwks_uri_networks could permit it)"
            raise CannotFetch(inner) from None
