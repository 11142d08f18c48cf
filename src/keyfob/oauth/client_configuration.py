"""RFC 7592: a registered client reads, changes and deletes what is registered of it. It may narrow, and never add."""

import json
from dataclasses import replace

from keyfob.oauth import authorization_details, client_registration
from keyfob.oauth.client_authentication import METHODS_BY_CERTIFICATE
from keyfob.oauth.client_registration import ClientMetadata, Object
from keyfob.oauth.errors import InvalidAuthorizationDetails, InvalidClientMetadata
from keyfob.oauth.mutual_tls import BOUND_TOKENS
from keyfob.oauth.wire import Response

_NEVER_SENT = (
    "registration_access_token",
    "registration_client_uri",
    "client_secret_expires_at",
    "client_id_issued_at",
)


class MoreThanHeld(InvalidClientMetadata):
    """The client asks for a right that it does not have."""


class KeysByToken(InvalidClientMetadata):
    """The client would change by what it is known, and has shown no more than a token."""


def read_update(document: Object, *, client_id: str) -> ClientMetadata:
    """The metadata that are to be in place of all others (§2.2). Raises as `client_registration.read_metadata`."""
    # RFC 7592 §2.2: the request holds the client's id, the same as it has.
    if document.get("client_id") != client_id:
        raise InvalidClientMetadata("client_id must be the client's own")
    # RFC 7592 §2.2: what only the server says is not in a request.
    for name in _NEVER_SENT:
        if name in document:
            raise InvalidClientMetadata(f"{name} must not be in a request (RFC 7592 section 2.2)")
    return client_registration.read_metadata(document)


def narrow(asked: ClientMetadata, held: ClientMetadata) -> ClientMetadata:
    """What is registered after `asked`. What is not said of rights and keys stays, since a client is never without.

    RFC 7592 §2.2: a server may ignore a value that is left out. Raises MoreThanHeld or KeysByToken.
    """
    # RFC 7592 §2.2: a registration token alone adds no key, no certificate and no other way to authenticate.
    same_by_value = asked.jwks is None or _parsed(asked.jwks) == _parsed(held.jwks)
    for name in ("auth_method", "jwks_uri", "tls_subject"):
        if not same_by_value or getattr(asked, name) not in (None, getattr(held, name)):
            raise KeysByToken(
                "keys, certificates and the method of authentication are changed by the operator: a registration "
                "token is no proof of a key"
            )
    is_new_bond = (asked.dpop_bound and not held.dpop_bound) or (asked.certificate_bound and not held.certificate_bound)
    if is_new_bond and held.auth_method in METHODS_BY_CERTIFICATE:
        raise KeysByToken("its tokens are bound to its certificate or to a key instead: the operator says to which")
    return replace(
        held,
        name=asked.name or held.name,
        scope=_part("scope", asked.scope, held.scope),
        resource=_order(asked.resource, held.resource),
        authorization_details=_details(asked, held),
        token_lifetime=_at_most(asked.token_lifetime, held.token_lifetime),
        dpop_bound=_still("dpop_bound_access_tokens", asked.dpop_bound, held.dpop_bound),
        certificate_bound=_still(BOUND_TOKENS, asked.certificate_bound, held.certificate_bound),
        # RFC 7592 §2.2: what is for people is replaced as a whole: what is left out is gone.
        described=asked.described,
    )


def write_deleted() -> Response:
    """RFC 7592 §2.3."""
    # RFC 7592 §2.3: a deletion that succeeded is 204.
    return Response(204, ((b"cache-control", b"no-store"), (b"pragma", b"no-cache")), b"")


def _parsed(jwks: str | None) -> object:
    """Keys by value are the same in any order of their members."""
    return None if jwks is None else json.loads(jwks)


def _part(name: str, asked: frozenset[str] | None, held: frozenset[str] | None) -> frozenset[str] | None:
    if asked is not None and not asked <= (held or frozenset()):
        raise MoreThanHeld(f"{name} is more than what is registered: the operator grants more")
    return held if asked is None else asked


def _order(asked: tuple[str, ...] | None, held: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """In the order that was there: the first is the default."""
    if asked is None:
        return held
    _part("resource", frozenset(asked), frozenset(held or ()))
    return tuple(one for one in held or () if one in asked)


def _details(asked: ClientMetadata, held: ClientMetadata) -> authorization_details.Details | None:
    if asked.authorization_details == held.authorization_details:
        return held.authorization_details
    try:
        return authorization_details.narrow(asked.authorization_details, held.authorization_details or ())
    except InvalidAuthorizationDetails as beyond:
        raise MoreThanHeld(beyond.description) from beyond


def _at_most(asked: int | None, held: int | None) -> int | None:
    if asked is not None and held is not None and asked > held:
        raise MoreThanHeld("keyfob_token_lifetime is longer than what is registered")
    return asked or held


def _still(name: str, asked: bool | None, held: bool | None) -> bool | None:
    """A bond may be added, never taken off; left out, it stays."""
    if asked is False and held:
        raise MoreThanHeld(f"{name} cannot be taken off: the operator can")
    return bool(asked or held)
