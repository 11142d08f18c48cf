"""The decision: may this request, with this token, do what needs this scope? Deny by default.

The plan of every judgement, in this order; each step raises, none is skipped, and the code below names them:

1. The path means one thing to everybody who reads it (`paths`).
2. One token came, in the Authorization header (`oauth.bearer`, `oauth.dpop`).
3. A token that was verified before is known by its digest, as long as the keys are the same and it has not expired.
   Another: whose it says it is chooses an issuer's keys; header, algorithm, signature, strict JSON and every claim are
   checked in one call (`jose.tokens`, `oauth.access_token`). A key that is not known is asked for once more.
4. It was not withdrawn, by a revocation feed that is fresh enough (`issuer`).
5. What it is bound to was proven, a DPoP proof with a nonce where that is asked for, and once (`possession`).
6. It has the scope, compared whole.
7. The use is counted; that can neither fail nor wait (`usage`).
"""

import asyncio
import hashlib
import os
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path

from keyfob import home, tls
from keyfob.ambient import Clock, system_clock, system_entropy
from keyfob.guard import paths
from keyfob.guard.errors import IssuerUnavailable, MissingToken, RefusedBoundToken, RefusedProof
from keyfob.guard.issuer import MAX_FEED_AGE, Withdrawn
from keyfob.guard.possession import Possession, nonce_key
from keyfob.guard.replays import LoneReplays, Replays
from keyfob.guard.trusted import Trusted, trust
from keyfob.jose import keys as jose_keys
from keyfob.jose.keys import KeySet, SigningKey
from keyfob.jose.tokens import UnknownKey, read_unverified_issuer, verify_access_token
from keyfob.oauth import bearer, dpop, resource_indicator
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.dpop import InvalidDpopProof
from keyfob.oauth.errors import InsufficientScope, InvalidRequest, InvalidTarget, InvalidToken
from keyfob.oauth.mutual_tls import PresentedCertificate
from keyfob.oauth.wire import Headers
from keyfob.problem import Misuse, Problem
from keyfob.refreshing import Unavailable
from keyfob.secret import Secret

_MAX_REMEMBERED = 10_000


class Guard:
    """Checks the access tokens of one issuer, or of several, for one audience (RFC 9068 §4).

    A verified token is remembered until it expires, so that its signature is checked once; with a new key set of its
    issuer it is checked anew. Whether it was revoked is asked each time.
    """

    def __init__(
        self,
        *,
        audience: str,
        trusted: Sequence[Trusted],
        replays: Replays,
        clock: Clock,
        nonce_key: Secret | None = None,
    ) -> None:
        self.audience = audience
        self._trusted = {one.issuer: one for one in trusted}
        self._only = trusted[0] if len(trusted) == 1 else None
        self._possession = Possession(audience, replays=replays, nonce_key=nonce_key, clock=clock)
        self._clock = clock
        self._remembered: OrderedDict[bytes, tuple[AccessToken, KeySet]] = OrderedDict()

    @classmethod
    def discover(
        cls,
        issuer: str | Sequence[str],
        *,
        audience: str,
        ca_file: str | os.PathLike[str] | None = None,
        resource_key: SigningKey | Secret | str | os.PathLike[str] | None = None,
        max_feed_age: int = MAX_FEED_AGE,
        replays: Replays | None = None,
        dpop_nonce: bool = False,
        report_usage: bool = True,
        clock: Clock = system_clock,
    ) -> "Guard":
        """A guard that finds the issuer's keys by its metadata (RFC 8414) when the first token comes.

        `issuer`: whose tokens are taken; several, each with its own keys and feed, as a list.

        `ca_file`: the authority that signed the issuer's TLS certificate; without it KEYFOB_CA_FILE, SSL_CERT_FILE or
        the system's.

        `resource_key`: the private key whose public half the audience's resource.json registers, as `keyfob-guard key`
        made it: the path of a PEM file, or a Secret that holds the PEM. With it the guard polls the issuer's revocation
        feed, and a revoked token is refused within 5 seconds; an issuer that is away is done without for `max_feed_age`
        seconds, then nobody is admitted (503). Without it a token lives until it expires.

        `replays`: where used DPoP proofs are remembered; by default in this process's memory, which several processes
        in front of one API do not share: FileReplays is for those of one machine.

        `dpop_nonce`: a DPoP proof must hold a nonce of this guard's, at most 5 minutes old (RFC 9449 §9), so that none
        can be made ahead of time. All processes with the same `resource_key`, which it needs, take each other's.

        `report_usage`: with a `resource_key`, tell the issuer each minute which client used which scope on which route
        (its template, never a path), from which the operator learns what nobody needs.

        Raises Problem when a file, a key or a URL is unusable, or when WEB_CONCURRENCY (which gunicorn and uvicorn
        obey) says that there are several processes and `replays` is missing.
        """
        issuers = (issuer,) if isinstance(issuer, str) else tuple(issuer)
        for name, url in (*(("issuer", one) for one in issuers), ("audience", audience)):
            _check_url(name, url)
        if not issuers or len(set(issuers)) != len(issuers):
            raise Misuse("bad-issuers", "name at least one issuer, and each once")
        key = None if resource_key is None else _load(resource_key)
        if dpop_nonce and key is None:
            raise Misuse("needs-resource-key", "dpop_nonce needs a resource_key, from which its nonces are made")
        context = tls.client_context(ca_file, environ=os.environ)
        trusted = [
            trust(
                one, audience=audience, context=context, resource_key=key, max_feed_age=max_feed_age,
                report_usage=report_usage, clock=clock, entropy=system_entropy,
            )
            for one in issuers
        ]  # fmt: skip
        return cls(
            audience=audience,
            trusted=trusted,
            replays=replays or _own_replays(audience, issuers, os.environ.get("WEB_CONCURRENCY", "1")),
            clock=clock,
            nonce_key=nonce_key(key) if dpop_nonce and key is not None else None,
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
        # 6.
        # RFC 6749 §3.3, RFC 6750 §3.1, RFC 9700 §2.3: scopes are compared whole, and none implies another.
        if scope not in token.scope and not token.scope.issuperset(scope.split(" ")):
            raise InsufficientScope(scope, detail=f"the token of client {token.client_id} lacks it")
        # 7.
        self.count_use(token, scope, method=method, route=route)
        return token

    def recall(self, headers: Headers, query_string: bytes, scope: str, *, path: bytes) -> AccessToken | None:
        """What `admit` would give for a bearer token that it admitted before; from any thread, and without any I/O.

        None for all else, of which `admit` will say what it is. The use is for the caller to count, in one thread.
        """
        try:
            # 1., 2.
            paths.check(path)
            presented = bearer.read(headers, query_string)
        except InvalidRequest:
            return None
        # 3., and nothing that is bound, which 5. is for.
        known = None if presented is None else self._remembered.get(_digest(presented))
        if known is None or known[0].confirmation is not None:
            return None
        now, (token, keys) = self._clock(), known
        trusted = self._trusted[token.issuer]
        if now >= token.expires_at or trusted.keys.fresh(now) is not keys:
            return None
        # 4.
        if trusted.withdrawn is not None:
            withdrawn = trusted.withdrawn.fresh(now)
            if withdrawn is None or withdrawn.revocations.find(token) is not None:
                return None
        # 6.
        return token if token.scope.issuperset(scope.split(" ")) else None

    @property
    def tells_use(self) -> bool:
        """Whether any issuer is told."""
        return any(one.usage is not None for one in self._trusted.values())

    def count_use(self, token: AccessToken, scope: str, *, method: str, route: str) -> None:
        """For who compares scopes itself: that `token` was admitted for what needed `scope`."""
        usage = self._trusted[token.issuer].usage
        if usage is not None:
            usage.count(token.client_id, scope, method, route, self._clock())

    async def flush(self) -> None:
        """Tell the issuer of the use that was not told yet: when the API ends."""
        await asyncio.gather(*(one.usage.flush() for one in self._trusted.values() if one.usage is not None))

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
        # 1.
        paths.check(path)
        # 2.
        presented, proof = bearer.read(headers, query_string), None
        if presented is None:
            presented, proof = self._read_bound(headers)
        try:
            token = await self._verify(presented)
            # 5.
            if token.confirmation is not None or proof is not None:
                await self._possession.check(token, presented, proof, certificate, method=method, path=path)
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
        now, name = self._clock(), _digest(presented)
        trusted = self._whose(name, presented)
        try:
            token = await self._check_signed(name, presented, trusted, now)
            # 4.
            if trusted.withdrawn is not None:
                _check_not_withdrawn(token, await trusted.withdrawn.get(now))
        except Unavailable as away:
            raise IssuerUnavailable(detail=str(away)) from away
        return token

    def check(self, presented: Secret, now: int) -> AccessToken:
        """As `verify`, with what is at hand and without any I/O. Raises IssuerUnavailable when that is not enough."""
        name = _digest(presented)
        trusted = self._whose(name, presented)
        try:
            token = self._check(name, presented, trusted.issuer, trusted.keys.known(now), now)
            # 4.
            if trusted.withdrawn is not None:
                _check_not_withdrawn(token, trusted.withdrawn.known(now))
        except Unavailable as away:
            raise IssuerUnavailable(detail=str(away)) from away
        _check_unbound(token)
        return token

    def _whose(self, name: bytes, presented: Secret) -> Trusted:
        """Whose keys the token is to be verified with: whether it is that issuer's, its signature alone says."""
        if self._only is not None:
            return self._only
        known = self._remembered.get(name)
        found = self._trusted.get(read_unverified_issuer(presented) if known is None else known[0].issuer)
        if found is None:
            raise InvalidToken(detail="another issuer")
        return found

    async def _check_signed(self, name: bytes, presented: Secret, trusted: Trusted, now: int) -> AccessToken:
        try:
            return self._check(name, presented, trusted.issuer, await trusted.keys.get(now), now)
        except UnknownKey:
            newer = await trusted.keys.newer(now)
            if newer is None:
                raise
            return self._check(name, presented, trusted.issuer, newer, now)

    def _check(self, name: bytes, presented: Secret, issuer: str, keys: KeySet, now: int) -> AccessToken:
        # 3.
        known = self._remembered.get(name)
        if known is not None and known[1] is keys:
            # RFC 7519 §4.1.4: `exp` itself is already too late.
            if now >= known[0].expires_at:
                del self._remembered[name]
                raise InvalidToken(detail="the token has expired")
            return known[0]
        token = verify_access_token(presented, keys, issuer=issuer, audience=self.audience, now=now)
        self._remembered[name] = token, keys
        if len(self._remembered) > _MAX_REMEMBERED:
            self._remembered.popitem(last=False)
        return token

    def _read_bound(self, headers: Headers) -> tuple[Secret, Secret]:
        try:
            found = dpop.read(headers)
        except InvalidDpopProof as refused:
            raise RefusedProof(detail=refused.detail) from refused
        if found is None:
            raise MissingToken
        return found


def _digest(presented: Secret) -> bytes:
    return hashlib.sha256(presented.reveal_bytes()).digest()


def _own_replays(audience: str, issuers: Sequence[str], processes: str) -> Replays:
    if processes.strip().isdecimal() and int(processes) > 1:
        raise Misuse(
            "needs-replays",
            f"WEB_CONCURRENCY is {processes}: one process does not know which DPoP proofs another has used",
            hint='give Guard.discover(..., replays=FileReplays("FILE"))',
        )
    return LoneReplays(" ".join((audience, *issuers)))


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
