"""The decision: may this request, with this token, do what needs this scope? Deny by default."""

import hashlib
import os
from collections import OrderedDict
from pathlib import Path

from keyfob import tls
from keyfob.ambient import Clock, system_clock
from keyfob.guard.errors import IssuerUnavailable, MissingToken
from keyfob.guard.key_cache import KeyCache, fetch_from
from keyfob.jose.keys import KeySet
from keyfob.jose.tokens import UnknownKey, verify_access_token
from keyfob.oauth import bearer, resource_indicator
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.errors import InsufficientScope, InvalidTarget, InvalidToken
from keyfob.oauth.wire import Headers
from keyfob.problem import Problem
from keyfob.secret import Secret

_MAX_REMEMBERED = 10_000


class Guard:
    """Checks the access tokens of one issuer for one audience (RFC 9068 §4).

    A verified token is remembered until it expires, so that its signature is checked once; a new key set forgets all.
    """

    def __init__(self, *, issuer: str, audience: str, keys: KeyCache, clock: Clock) -> None:
        self.issuer = issuer
        self.audience = audience
        self._keys = keys
        self._clock = clock
        self._remembered: OrderedDict[bytes, AccessToken] = OrderedDict()
        self._remembered_with: KeySet | None = None

    @classmethod
    def discover(
        cls, issuer: str, *, audience: str, ca_file: str | os.PathLike[str] | None = None, clock: Clock = system_clock
    ) -> "Guard":
        """A guard that finds the issuer's keys by its metadata (RFC 8414) when the first token comes.

        `ca_file`: the authority that signed the issuer's TLS certificate; without it KEYFOB_CA_FILE, SSL_CERT_FILE or
        the system's. Raises Problem when it or a URL is unusable.
        """
        for name, url in (("issuer", issuer), ("audience", audience)):
            try:
                resource_indicator.check(url)
            except InvalidTarget as refused:
                raise Problem("bad-url", f"the {name} {url!r} cannot be used: {refused.description}") from refused
        context = tls.client_context(None if ca_file is None else Path(ca_file), environ=os.environ)
        return cls(issuer=issuer, audience=audience, keys=KeyCache(fetch_from(issuer, context)), clock=clock)

    async def admit(self, headers: Headers, query_string: bytes, scope: str) -> AccessToken:
        """The token of a request that may do what needs `scope`.

        Raises MissingToken (401, RFC 6750 §3.1), InvalidRequest (400), InvalidToken (401), InsufficientScope (403) or
        IssuerUnavailable (503): give them to `refusal`.
        """
        presented = bearer.read(headers, query_string)
        if presented is None:
            raise MissingToken
        token = await self.verify(presented)
        # Scope-tokens are compared whole (RFC 6749 §3.3): nothing implies anything else.
        if scope not in token.scope:
            raise InsufficientScope(scope, detail=f"the token of client {token.client_id} lacks it")
        return token

    async def verify(self, presented: Secret) -> AccessToken:
        """The token, if it is good now. Raises InvalidToken or IssuerUnavailable."""
        now = self._clock()
        keys = await self._keys.keys(now)
        try:
            return self._check(presented, keys, now)
        except UnknownKey:
            newer = await self._keys.newer_keys(now)
            if newer is None:
                raise
            return self._check(presented, newer, now)

    def check(self, presented: Secret, now: int) -> AccessToken:
        """As `verify`, with the keys at hand and without any I/O. Raises IssuerUnavailable when there are none yet."""
        fetched = self._keys.current
        if fetched is None:
            raise IssuerUnavailable(detail="no key set was fetched yet")
        return self._check(presented, fetched.keys, now)

    def _check(self, presented: Secret, keys: KeySet, now: int) -> AccessToken:
        if self._remembered_with is not keys:
            self._remembered.clear()
            self._remembered_with = keys
        name = hashlib.sha256(presented.reveal_bytes()).digest()
        known = self._remembered.get(name)
        if known is not None:
            # RFC 7519 §4.1.4: `exp` itself is already too late.
            if now >= known.expires_at:
                del self._remembered[name]
                raise InvalidToken(detail="the token has expired")
            return known
        token = verify_access_token(presented, keys, issuer=self.issuer, audience=self.audience, now=now)
        self._remembered[name] = token
        if len(self._remembered) > _MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        return token
