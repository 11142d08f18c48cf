"""What a client may do, as operations take it: for a new client, a change of one, and what a partner may register."""

from collections.abc import Sequence
from typing import Annotated, Any

from msgspec import Meta

from keyfob.oauth import authorization_details
from keyfob.oauth import scope as scopes
from keyfob.oauth.authorization_details import Details
from keyfob.oauth.errors import OAuthError
from keyfob.oauth.scope import Scope
from keyfob.problem import Misuse
from keyfob.server.admin.operation import Text
from keyfob.server.lifecycle import studies

ScopeText = Annotated[str, Meta(min_length=1, max_length=4096, description="Scopes, with a space between two.")]
_APIS = "URLs of APIs; the first is the default."
Resources = Annotated[tuple[Text, ...], Meta(min_length=1, max_length=100, description=_APIS)]
DetailsList = Annotated[tuple[dict[str, Any], ...], Meta(max_length=1000, description="Studies (RFC 9396).")]
TokenLifetime = Annotated[int, Meta(ge=1, le=900, description="In seconds.")]


def read_scope(text: str, name: str = "scope") -> Scope:
    """Raises Misuse."""
    try:
        return scopes.parse(text)
    except OAuthError as refused:
        raise Misuse(
            "bad-scope", f"{name}: {refused.description}", hint='scopes with a space between two: "a:read b:read"'
        ) from None


def read_details(elements: Sequence[dict[str, Any]]) -> Details:
    """Raises Misuse."""
    if not elements:
        return ()
    try:
        return studies.check(authorization_details.read_claim(list(elements)))
    except OAuthError as refused:
        raise Misuse("bad-details", str(refused.description), hint="see RFC 9396 section 2") from None
