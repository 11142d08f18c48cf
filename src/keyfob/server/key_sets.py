"""A client's keys where it publishes them (`jwks_uri`, RFC 7591 §2). The last good copy serves for a day."""

import ssl
from collections import OrderedDict
from collections.abc import Callable, Sequence

from keyfob.ambient import Clock
from keyfob.jose.client_keys import ClientKeys
from keyfob.jose.keys import MAX_JWKS_BYTES, MalformedKeySet
from keyfob.refreshing import Ages, CannotFetch, Refreshing, Unavailable
from keyfob.server.fetching import Fetcher

AGES = Ages(renew=600, wait=600, good=24 * 3600, cooldown=10)
_MAX_REMEMBERED = 1_000


class KeySets:
    """Every set that was asked for lately. `context` and `inner`: see Fetcher."""

    def __init__(self, context: Callable[[], ssl.SSLContext], *, inner: Sequence[str], clock: Clock) -> None:
        self._fetcher = Fetcher(context, inner=inner)
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
        body = await self._fetcher.fetch(url, max_bytes=MAX_JWKS_BYTES)
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
