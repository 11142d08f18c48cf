"""Which token goes on which request: the core of the session and of every adapter, bound to one resource.

Sans-IO: `steps` gives the token for a request, and for the one retry after a 401.
"""

import re
from urllib.parse import urlsplit

from keyfob.oauth import resource_indicator
from keyfob.oauth.authorization_details import Details
from keyfob.oauth.scope import Scope
from keyfob.partner import minimal_scope, safe_url
from keyfob.partner.errors import ScopeNotHeld, UnknownOperation
from keyfob.partner.steps import Request, Steps, send
from keyfob.partner.token_source import HeldToken, TokenSource

# RFC 6750 §3.1: only this code says that another token may help.
_INVALID_TOKEN = re.compile(r'\bbearer\b.*\berror="?invalid_token\b', re.IGNORECASE | re.DOTALL)


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

    def __repr__(self) -> str:
        return f"Authorizer(resource={self.resource!r}, source={self.source!r})"

    def token(self, method: str, url: str, scope: Scope | None, refused: HeldToken | None = None) -> HeldToken | None:
        """`steps`, driven in this thread."""
        return self.source.run(self.steps(method, url, scope, refused))

    async def token_async(
        self, method: str, url: str, scope: Scope | None, refused: HeldToken | None = None
    ) -> HeldToken | None:
        """`steps`, driven in this asyncio task."""
        return await self.source.run_async(self.steps(method, url, scope, refused))

    def steps(
        self, method: str, url: str, scope: Scope | None, refused: HeldToken | None = None
    ) -> Steps[HeldToken | None]:
        """The token for `method` at `url`: for `scope`, else for the least that the API's description asks for.

        None: the API asks for no token there. `refused` is the token that was just answered with 401.
        Raises UnsafeCall before anything is sent, ScopeNotHeld, UnknownOperation, and what TokenSource raises.
        """
        safe_url.check_within(url, self.resource)
        if scope is None:
            operation = yield from self._operation(method, url)
            least = minimal_scope.narrowest(operation, self.held)
            if least is None:
                return None
            scope = least
        elif missing := scope - self.held:
            named = " ".join(sorted(missing))
            raise ScopeNotHeld(named, f"this client does not hold the scope {named}", held=self.held, typed=True)
        return (
            yield from self.source.steps(scope or None, resource=self.resource, details=self._details, refused=refused)
        )

    def _operation(self, method: str, url: str) -> Steps[minimal_scope.Operation]:
        if self._description is None:
            self._description = yield from self._describe()
        operation = self._description.find(method, urlsplit(url).path or "/")
        if operation is None:
            raise UnknownOperation(
                "unknown-operation",
                f"{self.resource}/openapi.json describes no {method.upper()} {urlsplit(url).path}",
                hint="check method and path, or name the scope: --scope",
            )
        return operation

    def _describe(self) -> Steps[minimal_scope.Description]:
        # The description is public: it is asked for without a token.
        url = f"{self.resource}/openapi.json"
        response = yield from send(Request("GET", url, max_response_bytes=minimal_scope.MAX_BYTES))
        if response.status != 200:
            raise UnknownOperation(
                "no-description",
                f"{url} is not there (HTTP {response.status}), so the least scope is not known",
                hint="name the scope: --scope",
            )
        return minimal_scope.read(response.body, resource=self.resource)


def asks_for_another_token(status: int, challenge: str | None) -> bool:
    """Whether a response is the refusal of a token, RFC 6750 §3.1, for which one retry with a fresh one is due."""
    return status == 401 and challenge is not None and _INVALID_TOKEN.search(challenge) is not None
