"""A client's keys where it publishes them (`jwks_uri`, RFC 7591 §2), fetched with the care that another's URL needs.

HTTPS with its certificate verified, no redirect, no address of an inner network (a name that leads there would let a
partner knock at our own doors), 64 KiB, five seconds in all. The last good copy serves for a day.
"""

import asyncio
import socket
import ssl
from collections import OrderedDict
from collections.abc import Callable, Sequence
from urllib.parse import urlsplit

from keyfob.ambient import Clock
from keyfob.jose.client_keys import ClientKeys
from keyfob.jose.keys import MAX_JWKS_BYTES, MalformedKeySet
from keyfob.refreshing import Ages, CannotFetch, Refreshing, Unavailable
from keyfob.server import outward
from keyfob.server.outward import Address, Inner

AGES = Ages(renew=600, wait=600, good=24 * 3600, cooldown=10)
_MAX_REMEMBERED = 1_000
_HTTPS = 443
_DEADLINE = 5.0


class KeySets:
    """Every set that was asked for lately. `inner`: networks (CIDR) that may be fetched from all the same."""

    def __init__(self, context: Callable[[], ssl.SSLContext], *, inner: Sequence[str], clock: Clock) -> None:
        self._context = context
        self._inner = outward.networks(inner)
        self._clock = clock
        self._found: OrderedDict[str, Refreshing[ClientKeys]] = OrderedDict()

    async def get(self, url: str, now: int) -> ClientKeys | None:
        """The keys at `url`; None when they cannot be had."""
        try:
            return await self._at(url).get(now)
        except Unavailable:
            return None

    async def newer(self, url: str, now: int) -> ClientKeys | None:
        """After one more fetch, for a signer whose key was not there; None when there is nothing newer."""
        return await self._at(url).newer(now)

    async def fetch(self, url: str) -> ClientKeys:
        """Once, and anew. Raises CannotFetch, which says why."""
        try:
            async with asyncio.timeout(_DEADLINE):
                return await self._fetch(url)
        except TimeoutError as late:
            raise CannotFetch(f"{url} gave no whole answer within {_DEADLINE:.0f} s") from late

    async def _fetch(self, url: str) -> ClientKeys:
        import httpx2  # only who has such clients needs it

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
                    if len(body) > MAX_JWKS_BYTES:
                        raise CannotFetch(f"{url} answered with more than {MAX_JWKS_BYTES} bytes")
        except httpx2.HTTPError as failed:
            raise CannotFetch(f"{url} cannot be reached: {type(failed).__name__} {failed}".strip()) from failed
        try:
            return ClientKeys.parse(body)
        except MalformedKeySet as malformed:
            raise CannotFetch(f"{url}: {malformed}") from malformed

    def _at(self, url: str) -> Refreshing[ClientKeys]:
        found = self._found.pop(url, None)
        if found is None:
            found = Refreshing(lambda _before: self.fetch(url), AGES, what=f"keys at {url}", clock=self._clock)
        self._found[url] = found
        if len(self._found) > _MAX_REMEMBERED:
            self._found.popitem(last=False)
        return found

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
