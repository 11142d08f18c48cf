"""Step 7 of a token request: what was asked, within what was granted. More is refused, never cut silently."""

from dataclasses import dataclass

from keyfob.oauth import authorization_details
from keyfob.oauth.authorization_details import Details
from keyfob.oauth.errors import InvalidScope, InvalidTarget
from keyfob.oauth.scope import Scope
from keyfob.oauth.token_endpoint import TokenRequest
from keyfob.server.authenticate import AuthenticatedClient
from keyfob.server.refusals.causes import Cause
from keyfob.server.storage.records import Client, ResourceGrant


@dataclass(frozen=True, slots=True)
class Grant:
    """What the token will say; `lifetime` in seconds. Only `authorize` makes one."""

    client_id: str
    credential_id: str
    resource: str
    scope: Scope
    authorization_details: Details
    lifetime: int


def authorize(authenticated: AuthenticatedClient, request: TokenRequest) -> Grant:
    """The grant. Raises InvalidTarget, InvalidScope or InvalidAuthorizationDetails."""
    client = authenticated.client
    granted = _resource(client, request.resource)
    return Grant(
        client_id=client.id,
        credential_id=authenticated.credential.id,
        resource=granted.resource,
        scope=_scope(granted, request.scope),
        authorization_details=authorization_details.narrow(request.authorization_details, client.authorization_details),
        lifetime=client.token_lifetime,
    )


def _resource(client: Client, asked: str | None) -> ResourceGrant:
    # RFC 8707 §2, RFC 9068 §3: no resource asked for means the client's default, the first of its grants.
    if asked is None:
        return client.grants[0]
    for grant in client.grants:
        # RFC 8707 §2, RFC 9068 §3: the resource that was asked for, or none.
        if grant.resource == asked:
            return grant
    raise InvalidTarget("the resource is unknown or not granted", detail=Cause.RESOURCE_NOT_GRANTED)


def _scope(granted: ResourceGrant, asked: Scope | None) -> Scope:
    if asked is None:
        # RFC 6749 §3.3: no scope means a default or a refusal; never "all" by omission.
        if granted.default_scope is None:
            raise InvalidScope("this client has no default scope: name the scope", detail=Cause.NO_DEFAULT_SCOPE)
        return granted.default_scope
    # RFC 6749 §3.3, §5.2, RFC 9068 §2.2.3: more than what is granted there is refused, never cut.
    if not asked <= granted.scope:
        raise InvalidScope("a scope is unknown or not granted at this resource", detail=Cause.SCOPE_NOT_GRANTED)
    return asked
