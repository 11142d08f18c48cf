"""Ory Hydra: what `GET /admin/clients` and `hydra list oauth2-clients --format json` give (RFC 7591's members)."""

from collections.abc import Mapping
from typing import Any

from keyfob.oauth.client_authentication import Method
from keyfob.server.imports import found
from keyfob.server.imports.found import Found

_METHODS = {
    "": Method.CLIENT_SECRET_BASIC,
    "client_secret_basic": Method.CLIENT_SECRET_BASIC,
    "client_secret_post": Method.CLIENT_SECRET_POST,
    "private_key_jwt": Method.PRIVATE_KEY_JWT,
}
_TAKEN = frozenset(
    {"client_id", "client_name", "scope", "grant_types", "token_endpoint_auth_method", "jwks", "jwks_uri"}
)
_OF_ITSELF = frozenset({"created_at", "updated_at", "client_secret_expires_at", "registration_client_uri"})
"""Nothing that anybody could miss."""


def read(document: object, *, where: str) -> tuple[Found, ...]:
    """Raises Misuse when it is no such export."""
    if isinstance(document, dict):
        document = document.get("items", [document] if "client_id" in document else None)
    return tuple(_client(one, number) for number, one in enumerate(found.objects(document, where=where), start=1))


def _client(tree: Mapping[str, Any], number: int) -> Found:
    name = found.text(tree, "client_name").strip() or found.text(tree, "client_id") or f"client {number}"
    leaked = tuple(found.leaks(tree))
    method = _METHODS.get(found.text(tree, "token_endpoint_auth_method"))
    grants = found.texts(tree, "grant_types")
    if "client_credentials" not in grants:
        return Found(name, leaked=leaked, refused="it has not the grant type client_credentials")
    if method is None:
        return Found(name, leaked=leaked, refused="its token_endpoint_auth_method does not exist here")
    left_out = [f"grant type {one}" for one in grants if one != "client_credentials"]
    left_out += [
        member
        for member, value in tree.items()
        if member not in _TAKEN | _OF_ITSELF | set(leaked) and value not in (None, "", [], {}, False, 0)
    ]
    jwks = uri = None
    if method is Method.PRIVATE_KEY_JWT:
        uri = found.text(tree, "jwks_uri") or None
        if uri is None:
            jwks, why = found.public_keys(tree.get("jwks"))
            if why is not None:
                return Found(name, leaked=leaked, refused=why)
    return Found(
        name,
        scope=tuple(found.text(tree, "scope").split()),
        method=method,
        jwks=jwks,
        jwks_uri=uri,
        left_out=tuple(left_out),
        leaked=leaked,
    )
