"""The issuer's public keys: found through its metadata (RFC 8414), over verified HTTPS only, and kept fresh.

A key set is fetched anew when it is old, or when a token names a key that it lacks (at most once in COOLDOWN seconds,
so that forged key ids cannot make us hammer the issuer). An unreachable issuer does not stop an API that knows its
keys: they are used for MAX_STALE seconds more.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import httpx2

from keyfob.guard.errors import IssuerUnavailable
from keyfob.jose.keys import MAX_JWKS_BYTES, KeySet, MalformedKeySet
from keyfob.oauth import server_metadata

_log = logging.getLogger("keyfob.guard")

MAX_AGE = 600
MAX_STALE = 24 * 3600
COOLDOWN = 5
_TIMEOUT = 5.0

Fetch = Callable[[], Awaitable[KeySet]]


class CannotFetch(Exception):
    """The issuer's keys could not be fetched; the text says why and holds nothing secret."""


@dataclass(frozen=True, slots=True)
class Fetched:
    keys: KeySet
    at: int


class KeyCache:
    """The newest key set that `fetch` gave; one fetch at a time."""

    def __init__(self, fetch: Fetch) -> None:
        self._fetch = fetch
        self._fetched: Fetched | None = None
        self._tried_at: int | None = None
        self._turn = asyncio.Lock()

    @property
    def current(self) -> Fetched | None:
        return self._fetched

    async def keys(self, now: int) -> KeySet:
        """The key set to check with. Raises IssuerUnavailable when there is none that may still be used."""
        fetched = self._fetched
        if fetched is None or now - fetched.at >= MAX_AGE:
            fetched = await self._refresh(now)
        if fetched is None or now - fetched.at >= MAX_AGE + MAX_STALE:
            raise IssuerUnavailable(detail="no key set of the issuer could be fetched")
        return fetched.keys

    async def newer_keys(self, now: int) -> KeySet | None:
        """The key set after one more fetch, for a token whose key is unknown; None when it was fetched just now."""
        before = self._fetched
        after = await self._refresh(now)
        return None if after is None or after is before else after.keys

    async def _refresh(self, now: int) -> Fetched | None:
        before = self._fetched
        async with self._turn:
            # Who waited for another's fetch takes its result.
            if self._fetched is not before:
                return self._fetched
            # A clock set back must not stop refreshing for as long as it went back.
            if self._tried_at is not None and 0 <= now - self._tried_at < COOLDOWN:
                return self._fetched
            self._tried_at = now
            try:
                keys = await self._fetch()
            except CannotFetch as failed:
                _log.warning("issuer_keys_not_fetched reason=%s", failed)
            else:
                self._fetched = Fetched(keys, now)
            return self._fetched


def fetch_from(issuer: str, context: ssl.SSLContext) -> Fetch:
    """Fetch the key set that `issuer`'s metadata names. Raises CannotFetch."""

    async def fetch() -> KeySet:
        try:
            async with httpx2.AsyncClient(verify=context, follow_redirects=False, timeout=_TIMEOUT) as client:
                metadata = server_metadata.read(await _get(client, server_metadata.well_known(issuer)), issuer=issuer)
                return KeySet.parse(await _get(client, metadata.jwks_uri))
        except httpx2.HTTPError as failed:
            raise CannotFetch(f"{issuer} cannot be reached: {_reason(failed)}") from failed
        except (server_metadata.MalformedMetadata, MalformedKeySet) as malformed:
            raise CannotFetch(f"{issuer} answered with what cannot be used: {malformed}") from malformed

    return fetch


def _reason(failed: httpx2.HTTPError) -> str:
    detail = str(failed).partition("certificate verify failed: ")[2].partition(" (_ssl")[0]
    if detail:
        return f"its TLS certificate is not trusted ({detail}): is its authority named, by ca_file= or KEYFOB_CA_FILE?"
    return f"{type(failed).__name__} {failed}".strip()


async def _get(client: httpx2.AsyncClient, url: str) -> bytes:
    # Keys that came over plain HTTP are anybody's keys.
    if not url.startswith("https://"):
        raise CannotFetch(f"{url} is not https")
    async with client.stream("GET", url, headers={"accept": "application/json"}) as response:
        if response.status_code != 200:
            raise CannotFetch(f"{url} answered {response.status_code}")
        body = b""
        async for part in response.aiter_bytes():
            body += part
            if len(body) > MAX_JWKS_BYTES:
                raise CannotFetch(f"{url} answered with more than {MAX_JWKS_BYTES} bytes")
        return body
