"""Which token goes on which request: the core of the session and of every adapter, bound to one resource.

Sans-IO: `steps` gives the token for a request, and for the one retry after a 401. What an API says of itself only
narrows: no document of its can make more of a token than was registered at `receive`.
"""

import re
from urllib.parse import urlsplit

from keyfob.oauth import resource_indicator, resource_metadata
from keyfob.oauth.authorization_details import Details
from keyfob.oauth.scope import Scope
from keyfob.oauth.server_metadata import MalformedMetadata
from keyfob.partner import minimal_scope, safe_url
from keyfob.partner.errors import ScopeNotHeld, UnknownOperation
from keyfob.partner.held import HeldToken, Wish
from keyfob.partner.steps import Request, Steps, send
from keyfob.partner.token_source import TokenSource
from keyfob.problem import Problem

_DESCRIBED_FOR = 3600
"""Seconds for which what an API says of itself is remembered."""
_MAX_REMEMBERED = 1000
# RFC 6750 §3.1, RFC 9449 §7.1: only this code says that another token may help.
_INVALID_TOKEN = re.compile(r'\b(bearer|dpop)\b.*\berror="?invalid_token\b', re.IGNORECASE | re.DOTALL)
# (RFC 9449 §9) the same token with another proof.
_USE_NONCE = re.compile(r'\bdpop\b.*\berror="?use_dpop_nonce\b', re.IGNORECASE | re.DOTALL)


class Authorizer:
    """Tokens for the requests to `resource`, of no more scope than `held`, which is what was registered.

    `details` narrows every token (RFC 9396). Raises UnsafeCall for a resource without HTTPS.
    """

    def __init__(self, source: TokenSource, *, resource: str, held: Scope, details: Details | None = None) -> None:
        self.source = source
        self.resource = safe_url.check(resource_indicator.check(resource))
        self.held = held
        self._details = details
        self._description: minimal_scope.Description | None = None
        self._described_until = 0.0
        self._wishes: dict[tuple[str, str, Scope | None], Wish] = {}

    def __repr__(self) -> str:
        return f"Authorizer(resource={self.resource!r}, source={self.source!r})"

    def token(self, method: str, url: str, scope: Scope | None, refused: HeldToken | None = None) -> HeldToken | None:
        """`steps`, driven in this thread."""
        if refused is None and (held := self._at_hand(method, url, scope)) is not None:
            return held
        return self.source.run(self.steps(method, url, scope, refused))

    async def token_async(
        self, method: str, url: str, scope: Scope | None, refused: HeldToken | None = None
    ) -> HeldToken | None:
        """`steps`, driven in this asyncio task."""
        if refused is None and (held := self._at_hand(method, url, scope)) is not None:
            return held
        return await self.source.run_async(self.steps(method, url, scope, refused))

    def _at_hand(self, method: str, url: str, scope: Scope | None) -> HeldToken | None:
        """The token of a call that was made before, and was found safe then."""
        wish = self._wishes.get((method, url, scope))
        if wish is None or (scope is None and self._is_outdated()):
            return None
        return self.source.find(wish)

    def steps(
        self, method: str, url: str, scope: Scope | None, refused: HeldToken | None = None
    ) -> Steps[HeldToken | None]:
        """The token for `method` at `url`: for `scope`, else for the least that the API's description asks for.

        None: the API asks for no token there. `refused` is the token that was just answered with 401.
        Raises UnsafeCall before anything is sent, ScopeNotHeld, UnknownOperation, and what TokenSource raises.
        """
        safe_url.check_within(url, self.resource)
        least = scope
        if scope is None:
            least = yield from self._least(method, url)
            if least is None:
                return None
        elif missing := scope - self.held:
            named = " ".join(sorted(missing))
            raise ScopeNotHeld(named, f"this client does not hold the scope {named}", held=self.held, typed=True)
        wish = Wish.of(least or None, self.resource, self._details)
        if len(self._wishes) >= _MAX_REMEMBERED:
            self._wishes.clear()
        self._wishes[method, url, scope] = wish
        return (yield from self.source.steps_for(wish, refused))

    def _least(self, method: str, url: str) -> Steps[Scope | None]:
        if self._description is None or self._is_outdated():
            self._wishes.clear()
            self._description = yield from self._describe()
            self._described_until = self.source.now() + _DESCRIBED_FOR
        operation = self._description.find(method, urlsplit(url).path or "/")
        if operation is None:
            raise UnknownOperation(
                "unknown-operation",
                f"{self.resource}/openapi.json describes no {method.upper()} {urlsplit(url).path}",
                hint="check method and path, or name the scope: --scope",
            )
        return minimal_scope.narrowest(operation, self.held)

    def _is_outdated(self) -> bool:
        return self._description is not None and self.source.now() >= self._described_until

    def _describe(self) -> Steps[minimal_scope.Description]:
        # Both documents are public: they are asked for without a token.
        known = yield from self._metadata()
        url = f"{self.resource}/openapi.json"
        response = yield from send(Request("GET", url, max_response_bytes=minimal_scope.MAX_BYTES))
        if response.status == 200:
            return minimal_scope.read(response.body, resource=self.resource)
        knows = "" if known is None else f"; the API knows: {' '.join(sorted(known.scopes.keys() & self.held))}"
        raise UnknownOperation(
            "no-description",
            f"{url} is not there (HTTP {response.status}), so the least scope is not known",
            hint=f"name the scope: --scope{knows}",
        )

    def _metadata(self) -> Steps[resource_metadata.ResourceMetadata | None]:
        """RFC 9728, where the API has it. Raises Problem when its tokens are another issuer's."""
        response = yield from send(Request("GET", resource_metadata.well_known(self.resource)))
        try:
            found = resource_metadata.read(response.body) if response.status == 200 else None
        except MalformedMetadata:
            return None
        # (RFC 9728 §3.3) what speaks of another resource is not used.
        if found is None or found.resource != self.resource:
            return None
        if found.authorization_servers and self.source.issuer not in found.authorization_servers:
            raise Problem(
                "another-issuer",
                f"{self.resource} takes tokens of {', '.join(found.authorization_servers[:3])}, and this client's "
                f"are of {self.source.issuer}",
                hint="ask the API's operator which of them is right",
            )
        return found


def asks_for_another_token(status: int, challenge: str | None) -> bool:
    """Whether a response is the refusal of a token, RFC 6750 §3.1, for which one retry with a fresh one is due."""
    return status == 401 and challenge is not None and _INVALID_TOKEN.search(challenge) is not None


def asks_for_nonce(status: int, challenge: str | None) -> bool:
    """Whether a response wants the same request again, with a proof that holds the nonce that came (RFC 9449 §9)."""
    return status == 401 and challenge is not None and _USE_NONCE.search(challenge) is not None
