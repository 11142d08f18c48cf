"""The decision: may this request, with this token, do what needs this scope? Deny by default."""

import functools
import hashlib
import hmac
import os
from collections import OrderedDict
from pathlib import Path

from keyfob import home, tls
from keyfob.ambient import Clock, system_clock, system_entropy
from keyfob.guard import paths
from keyfob.guard.errors import IssuerUnavailable, MissingToken, RefusedBoundToken, RefusedProof
from keyfob.guard.issuer import KEYS, MAX_FEED_AGE, Issuer, Withdrawn, feed_ages
from keyfob.guard.replays import MemoryReplays, Replays
from keyfob.guard.usage import Usage
from keyfob.jose import keys as jose_keys
from keyfob.jose.keys import KeySet, SigningKey
from keyfob.jose.proofs import verify_proof
from keyfob.jose.tokens import UnknownKey, verify_access_token
from keyfob.oauth import bearer, dpop, mutual_tls, resource_indicator
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.dpop import InvalidDpopProof
from keyfob.oauth.errors import InsufficientScope, InvalidTarget, InvalidToken
from keyfob.oauth.mutual_tls import PresentedCertificate
from keyfob.oauth.wire import Headers
from keyfob.problem import Misuse, Problem
from keyfob.refreshing import Refreshing, Unavailable
from keyfob.secret import Secret

_MAX_REMEMBERED = 10_000


class Guard:
    """Checks the access tokens of one issuer for one audience (RFC 9068 §4).

    A verified token is remembered until it expires, so that its signature is checked once; a new key set forgets all.
    Whether it was revoked is asked each time.
    """

    def __init__(
        self,
        *,
        issuer: str,
        audience: str,
        keys: Refreshing[KeySet],
        withdrawn: Refreshing[Withdrawn] | None,
        replays: Replays,
        clock: Clock,
        usage: Usage | None = None,
    ) -> None:
        self.issuer = issuer
        self.audience = audience
        self._keys = keys
        self._withdrawn = withdrawn
        self._replays = replays
        self._usage = usage
        self._origin = resource_indicator.origin(audience)
        self._clock = clock
        self._remembered: OrderedDict[bytes, AccessToken] = OrderedDict()
        self._remembered_with: KeySet | None = None

    @classmethod
    def discover(
        cls,
        issuer: str,
        *,
        audience: str,
        ca_file: str | os.PathLike[str] | None = None,
        resource_key: SigningKey | Secret | str | os.PathLike[str] | None = None,
        max_feed_age: int = MAX_FEED_AGE,
        replays: Replays | None = None,
        report_usage: bool = True,
        clock: Clock = system_clock,
    ) -> "Guard":
        """A guard that finds the issuer's keys by its metadata (RFC 8414) when the first token comes.

        `ca_file`: the authority that signed the issuer's TLS certificate; without it KEYFOB_CA_FILE, SSL_CERT_FILE or
        the system's.

        `resource_key`: the private key whose public half the audience's resource.json registers, as `keyfob-guard key`
        made it: the path of a PEM file, or a Secret that holds the PEM. With it the guard polls the issuer's revocation
        feed, and a revoked token is refused within 5 seconds; an issuer that is away is done without for `max_feed_age`
        seconds, then nobody is admitted (503). Without it a token lives until it expires.

        `replays`: where used DPoP proofs are remembered; by default in this process's memory, which several processes
        in front of one API do not share: FileReplays is for those of one machine.

        `report_usage`: with a `resource_key`, tell the issuer each minute which client used which scope on which route
        (its template, never a path), from which the operator learns what nobody needs.

        Raises Problem when a file, a key or a URL is unusable, or when WEB_CONCURRENCY (which gunicorn and uvicorn
        obey) says that there are several processes and `replays` is missing.
        """
        for name, url in (("issuer", issuer), ("audience", audience)):
            _check_url(name, url)
        source = Issuer(issuer, tls.client_context(ca_file, environ=os.environ), clock=clock, entropy=system_entropy)
        withdrawn: Refreshing[Withdrawn] | None = None
        usage: Usage | None = None
        if resource_key is not None:
            key = _load(resource_key)
            tell = functools.partial(source.tell, resource=audience, key=key)
            usage = Usage(tell, clock=clock, entropy=system_entropy) if report_usage else None
            fetch = functools.partial(source.withdrawn, resource=audience, key=key)
            withdrawn = Refreshing(fetch, feed_ages(max_feed_age), what=f"revocation feed of {issuer}", clock=clock)
        keys = Refreshing(source.keys, KEYS, what=f"keys of {issuer}", clock=clock)
        known = replays or _own_replays(os.environ.get("WEB_CONCURRENCY", "1"))
        return cls(
            issuer=issuer,
            audience=audience,
            keys=keys,
            withdrawn=withdrawn,
            replays=known,
            clock=clock,
            usage=usage,
        )

    async def admit(
        self,
        headers: Headers,
        query_string: bytes,
        scope: str,
        *,
        method: str = "",
        path: bytes = b"",
        certificate: PresentedCertificate | None = None,
        route: str = "",
    ) -> AccessToken:
        """The token of a request that may do what needs `scope`.

        `method` and `path` (as it came, percent-encoded) are what a DPoP proof must be for: without them no token that
        is bound to a key is admitted. `certificate`: the client's in the TLS handshake, without which no token that is
        bound to one is; `presented_certificate` reads it from an ASGI scope.

        `route`: the template of the route, for the reports of use; never the path itself.

        `scope`: one, or several with a space between them, of which the token must have each.

        Raises MissingToken (401, RFC 6750 §3.1), InvalidRequest (400), InvalidToken or RefusedProof (401),
        InsufficientScope (403) or IssuerUnavailable (503): give them to `refusal`.
        """
        token = await self.identify(headers, query_string, method=method, path=path, certificate=certificate)
        # RFC 6749 §3.3, RFC 6750 §3.1, RFC 9700 §2.3: scopes are compared whole, and none implies another.
        if scope not in token.scope and not token.scope.issuperset(scope.split(" ")):
            raise InsufficientScope(scope, detail=f"the token of client {token.client_id} lacks it")
        self.count_use(token, scope, method=method, route=route)
        return token

    def count_use(self, token: AccessToken, scope: str, *, method: str, route: str) -> None:
        """For who compares scopes itself: that `token` was admitted for what needed `scope`."""
        if self._usage is not None:
            self._usage.count(token.client_id, scope, method, route, self._clock())

    async def flush(self) -> None:
        """Tell the issuer of the use that was not told yet: when the API ends."""
        if self._usage is not None:
            await self._usage.flush()

    async def identify(
        self,
        headers: Headers,
        query_string: bytes,
        *,
        method: str = "",
        path: bytes = b"",
        certificate: PresentedCertificate | None = None,
    ) -> AccessToken:
        """The good token of a request, whatever its scope: for who compares scopes itself. Raises as `admit` does."""
        paths.check(path)
        presented, proof = bearer.read(headers, query_string), None
        if presented is None:
            presented, proof = self._read_bound(headers)
        try:
            token = await self._verify(presented)
            if token.confirmation is not None or proof is not None:
                await self._check_possession(token, presented, proof, certificate, method=method, path=path)
        except InvalidToken as refused:
            if proof is None:
                raise
            raise RefusedBoundToken(detail=refused.detail) from refused
        return token

    async def verify(self, presented: Secret) -> AccessToken:
        """The token, if it is good now for whoever bears it. Raises InvalidToken or IssuerUnavailable."""
        token = await self._verify(presented)
        _check_unbound(token)
        return token

    async def _verify(self, presented: Secret) -> AccessToken:
        now = self._clock()
        try:
            token = await self._check_signed(presented, now)
            if self._withdrawn is not None:
                _check_not_withdrawn(token, await self._withdrawn.get(now))
        except Unavailable as away:
            raise IssuerUnavailable(detail=str(away)) from away
        return token

    def check(self, presented: Secret, now: int) -> AccessToken:
        """As `verify`, with what is at hand and without any I/O. Raises IssuerUnavailable when that is not enough."""
        try:
            token = self._check(presented, self._keys.known(now), now)
            if self._withdrawn is not None:
                _check_not_withdrawn(token, self._withdrawn.known(now))
        except Unavailable as away:
            raise IssuerUnavailable(detail=str(away)) from away
        _check_unbound(token)
        return token

    async def _check_signed(self, presented: Secret, now: int) -> AccessToken:
        try:
            return self._check(presented, await self._keys.get(now), now)
        except UnknownKey:
            newer = await self._keys.newer(now)
            if newer is None:
                raise
            return self._check(presented, newer, now)

    def _read_bound(self, headers: Headers) -> tuple[Secret, Secret]:
        try:
            found = dpop.read(headers)
        except InvalidDpopProof as refused:
            raise RefusedProof(detail=refused.detail) from refused
        if found is None:
            raise MissingToken
        return found

    async def _check_possession(
        self,
        token: AccessToken,
        presented: Secret,
        proof: Secret | None,
        certificate: PresentedCertificate | None,
        *,
        method: str,
        path: bytes,
    ) -> None:
        """All that the token is bound to, each proven. Raises InvalidToken or RefusedProof."""
        left = dict(token.confirmation or {})
        named = left.pop(mutual_tls.CONFIRMATION, None)
        # RFC 8705 §3: a token that is bound to a certificate is worth nothing in a connection without it.
        if named is not None and (certificate is None or not mutual_tls.confirms(named, certificate.certificate)):
            came = "none came" if certificate is None else "another came"
            raise InvalidToken(detail=f"the token is bound to a certificate, and {came}")
        key_id = left.pop("jkt", None)
        if left or (key_id is None) is not (proof is None):
            raise InvalidToken(
                detail="the token is bound to what was not proven"
                if proof is None
                else "the token is not bound to the key of a DPoP proof"
            )
        if proof is not None and key_id is not None:
            await self._check_proof(proof, presented, key_id, method=method, path=path)

    async def _check_proof(self, proof: Secret, presented: Secret, key_id: str, *, method: str, path: bytes) -> None:
        """RFC 9449 §7.1, §7.2. Raises InvalidToken or RefusedProof."""
        now = self._clock()
        url = self._origin + path.decode("latin-1")
        try:
            found, _ = verify_proof(proof, method=method, url=url, now=now, access_token=presented)
        except InvalidDpopProof as refused:
            raise RefusedProof(detail=refused.detail) from refused
        if not hmac.compare_digest(found.key_id, key_id):
            raise InvalidToken(detail="the proof is by another key than the token's")
        if not await self._replays.use(f"{found.key_id}:{found.jti}", until=found.expires_at, now=now):
            raise RefusedProof(detail="the proof was used before")

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


def _own_replays(processes: str) -> MemoryReplays:
    if processes.strip().isdecimal() and int(processes) > 1:
        raise Misuse(
            "needs-replays",
            f"WEB_CONCURRENCY is {processes}: one process does not know which DPoP proofs another has used",
            hint='give Guard.discover(..., replays=FileReplays("FILE"))',
        )
    return MemoryReplays()


def _check_unbound(token: AccessToken) -> None:
    # RFC 9449 §7.1, RFC 8705 §3: a token that is bound to a key is worth nothing without proof of the key.
    if token.confirmation is not None:
        raise InvalidToken(detail="the token is bound to a key, and came without proof of it")


def _check_not_withdrawn(token: AccessToken, withdrawn: Withdrawn) -> None:
    entry = withdrawn.revocations.find(token)
    if entry is not None:
        raise InvalidToken(detail=f"revoked by its {entry.subject}")


def _check_url(name: str, url: str) -> None:
    try:
        checked = resource_indicator.check(url)
    except InvalidTarget as refused:
        raise Problem("bad-url", f"the {name} {url!r} cannot be used: {refused.description}") from refused
    # Issuers and audiences are compared byte for byte: one more slash would refuse every token.
    if checked != url:
        raise Problem("bad-url", f"the {name} {url!r} ends with a slash", hint=f"write {checked!r}")


def _load(resource_key: SigningKey | Secret | str | os.PathLike[str]) -> SigningKey:
    if isinstance(resource_key, SigningKey):
        return resource_key
    if not isinstance(resource_key, Secret):
        path = Path(resource_key)
        try:
            home.check_private(path)
            resource_key = Secret(path.read_bytes())
        except OSError as failed:
            raise Misuse("bad-resource-key", f"the resource key {path} cannot be read: {failed.strerror}") from failed
    try:
        return jose_keys.load(resource_key)
    except ValueError as wrong:
        raise Misuse("bad-resource-key", f"the resource key cannot be used: {wrong}") from wrong
