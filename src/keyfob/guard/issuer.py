"""What a guard asks of the issuer, over verified HTTPS only: metadata (RFC 8414), keys (RFC 7517), revocations."""

import json
import logging
import ssl
from dataclasses import dataclass

import httpx2

from keyfob.ambient import Clock, Entropy
from keyfob.issuer_clock import IssuerClock
from keyfob.jose.assertions import sign_assertion
from keyfob.jose.feeds import MAX_BYTES, UnknownFeedKey, verify_feed
from keyfob.jose.keys import MAX_JWKS_BYTES, KeySet, MalformedKeySet, SigningKey
from keyfob.oauth import client_authentication, revocation_feed, server_metadata, usage_report
from keyfob.oauth.revocation_feed import MalformedFeed, Revocations
from keyfob.oauth.server_metadata import MalformedMetadata, ServerMetadata
from keyfob.oauth.usage_report import Report
from keyfob.refreshing import Ages, CannotFetch

_log = logging.getLogger("keyfob.guard")

MAX_AGE = 600
MAX_STALE = 24 * 3600
COOLDOWN = 5
KEYS = Ages(renew=MAX_AGE, wait=MAX_AGE, good=MAX_AGE + MAX_STALE, cooldown=COOLDOWN)

MAX_FEED_AGE = 60


def feed_ages(max_feed_age: int) -> Ages:
    """A revocation is seen within 5 seconds: a request never goes by a feed of 3 that could have been newer."""
    return Ages(renew=2, wait=3, good=max_feed_age, cooldown=1)


_MAX_BACKWARDS = 30
"""Seconds by which the clocks of an issuer's nodes may differ."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """All revocations up to `sequence`, which never goes backwards."""

    revocations: Revocations
    sequence: int
    issued_at: int


class Issuer:
    """One issuer. Every method raises CannotFetch, whose text tells the operator of the API what to mend."""

    def __init__(self, url: str, context: ssl.SSLContext, *, clock: Clock, entropy: Entropy) -> None:
        self._url = url
        self._context = context
        self._clock = clock
        self._entropy = entropy
        self._metadata: tuple[ServerMetadata, int] | None = None
        self._has_said_no_feed = False
        # What is signed here must be of the issuer's now; whether a token is good, this API's own clock says.
        self._issuer_clock = IssuerClock(clock)

    async def keys(self, _known: KeySet | None) -> KeySet:
        """The keys that sign access tokens. The metadata are asked anew, too: the issuer may have moved them."""
        self._metadata = None
        async with self._client() as client:
            metadata = await self._described(client)
            try:
                return KeySet.parse(await self._read(client, "GET", metadata.jwks_uri, max_bytes=MAX_JWKS_BYTES))
            except MalformedKeySet as malformed:
                raise CannotFetch(f"the keys of {self._url} cannot be used: {malformed}") from malformed

    async def withdrawn(self, known: Withdrawn | None, *, resource: str, key: SigningKey) -> Withdrawn:
        """All that concerns `resource`, which proves itself with the private half of the key that it registered."""
        async with self._client() as client:
            metadata = await self._described(client)
            if not metadata.keyfob_revocations_endpoint:
                return self._nothing()
            try:
                return await self._newer(client, metadata, known, resource, key)
            except UnknownFeedKey as unknown:
                self._metadata = None  # asked anew at the next turn
                raise CannotFetch(f"{unknown}; it is read again") from unknown

    async def _newer(
        self,
        client: httpx2.AsyncClient,
        metadata: ServerMetadata,
        known: Withdrawn | None,
        resource: str,
        key: SigningKey,
    ) -> Withdrawn:
        now = self._clock()
        since = 0 if known is None else known.sequence
        form = revocation_feed.write_request(since) | self._proof(resource, key)
        body = await self._read(client, "POST", metadata.keyfob_revocations_endpoint, max_bytes=MAX_BYTES, form=form)
        try:
            keys = KeySet.parse(json.dumps(metadata.keyfob_revocations_jwks).encode())
            feed = verify_feed(body, keys, issuer=self._url, audience=resource, now=now)
        except (MalformedKeySet, MalformedFeed) as malformed:
            if isinstance(malformed, UnknownFeedKey):
                raise
            raise CannotFetch(f"the feed of {self._url} cannot be used: {malformed}") from malformed
        if feed.since != since or feed.sequence < since:
            raise CannotFetch("the feed goes backwards: was the issuer restored from a backup? Then restart this API")
        if known is not None and feed.issued_at < known.issued_at - _MAX_BACKWARDS:
            raise CannotFetch("the feed is older than one that was read before")
        before = Revocations() if known is None else known.revocations
        return Withdrawn(before.plus(feed.revocations, now=now), feed.sequence, feed.issued_at)

    async def tell(self, report: Report, *, resource: str, key: SigningKey) -> None:
        """Hand in a report of use. An issuer that takes none is told none."""
        async with self._client() as client:
            metadata = await self._described(client)
            if metadata.keyfob_usage_endpoint:
                form = usage_report.write(report) | self._proof(resource, key)
                await self._read(client, "POST", metadata.keyfob_usage_endpoint, max_bytes=MAX_BYTES, form=form)

    def _proof(self, resource: str, key: SigningKey) -> dict[str, str]:
        jti = self._entropy(16).hex()
        assertion = sign_assertion(resource, key, audience=self._url, now=self._issuer_clock.now(), jti=jti)
        return client_authentication.write_assertion(assertion)

    def _nothing(self) -> Withdrawn:
        """An issuer that offers no feed: its tokens live until they expire, and that is said once."""
        if not self._has_said_no_feed:
            self._has_said_no_feed = True
            _log.warning("issuer_without_revocation_feed issuer=%s", self._url)
        return Withdrawn(Revocations(), 0, 0)

    async def _described(self, client: httpx2.AsyncClient) -> ServerMetadata:
        now = self._clock()
        if self._metadata is not None and 0 <= now - self._metadata[1] < MAX_AGE:
            return self._metadata[0]
        body = await self._read(
            client, "GET", server_metadata.well_known(self._url), max_bytes=server_metadata.MAX_BYTES
        )
        try:
            found = server_metadata.read(body, issuer=self._url)
        except MalformedMetadata as malformed:
            raise CannotFetch(f"{self._url} answered with what cannot be used: {malformed}") from malformed
        self._metadata = (found, now)
        return found

    def _client(self) -> httpx2.AsyncClient:
        # Made for each fetch: a client is bound to its event loop, and a guard may outlive one.
        return httpx2.AsyncClient(verify=self._context, follow_redirects=False, timeout=5.0)

    async def _read(
        self, client: httpx2.AsyncClient, method: str, url: str, *, max_bytes: int, form: dict[str, str] | None = None
    ) -> bytes:
        asked_at = self._clock()
        status, date, body = await _fetch(client, method, url, max_bytes=max_bytes, form=form)
        took = self._clock() - asked_at
        if self._issuer_clock.compare(((b"date", date),), took=took) and self._issuer_clock.ahead:
            _log.warning("clock_skewed issuer=%s seconds=%d", self._url, self._issuer_clock.ahead)
        if status == 401:
            raise CannotFetch(f"{url} does not know this resource and its key: register its resource.json there")
        if status not in (200, 204):
            raise CannotFetch(f"{url} answered {status}")
        return body


async def _fetch(
    client: httpx2.AsyncClient, method: str, url: str, *, max_bytes: int, form: dict[str, str] | None
) -> tuple[int, bytes, bytes]:
    """Status, Date and body; none of what is no success. Raises CannotFetch."""
    # RFC 8414 §2, §6.1: what came over plain HTTP is anybody's.
    if not url.startswith("https://"):
        raise CannotFetch(f"{url} is not https")
    try:
        async with client.stream(method, url, data=form) as response:
            date, body = response.headers.get("date", "").encode("latin-1", "replace"), b""
            if response.status_code != 200:
                return response.status_code, date, body
            async for part in response.aiter_bytes():
                body += part
                if len(body) > max_bytes:
                    raise CannotFetch(f"{url} answered with more than {max_bytes} bytes")
            return 200, date, body
    except httpx2.HTTPError as failed:
        raise CannotFetch(f"{url} cannot be reached: {_why(failed)}") from failed


def _why(failed: httpx2.HTTPError) -> str:
    cause: BaseException | None = failed
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            reason = f"its certificate is not trusted ({cause.verify_message})"
            return f"{reason}: name its authority by ca_file or KEYFOB_CA_FILE"
        cause = cause.__cause__ or cause.__context__
    return f"{type(failed).__name__} {failed}".strip()
