"""Keycloak: a realm's export (`kc.sh export`), or one client's, as its console writes them."""

from collections.abc import Mapping
from typing import Any

from keyfob.oauth import strict_json
from keyfob.oauth.client_authentication import Method
from keyfob.server.imports import found
from keyfob.server.imports.found import Found

_METHODS = {
    "": Method.CLIENT_SECRET_BASIC,
    "client-secret": Method.CLIENT_SECRET_BASIC,
    "client-jwt": Method.PRIVATE_KEY_JWT,
}
_FLOWS = {
    "standardFlowEnabled": "grant type authorization_code",
    "implicitFlowEnabled": "grant type implicit",
    "directAccessGrantsEnabled": "grant type password",
    "authorizationServicesEnabled": "authorization services",
    "fullScopeAllowed": "roles (fullScopeAllowed)",
    "consentRequired": "consent",
}
_LISTS = {
    "redirectUris": "redirect URIs",
    "webOrigins": "web origins",
    "protocolMappers": "protocol mappers",
    "defaultRoles": "default roles",
}
_LIFETIME = "access.token.lifespan"


def read(document: object, *, where: str) -> tuple[Found, ...]:
    """Raises Misuse when it is no such export."""
    if isinstance(document, dict):
        document = document.get("clients", [document] if "clientId" in document else None)
    return tuple(_client(one, number) for number, one in enumerate(found.objects(document, where=where), start=1))


def _client(tree: Mapping[str, Any], number: int) -> Found:
    name = found.text(tree, "clientId") or f"client {number}"
    leaked = tuple(found.leaks(tree))
    method = _METHODS.get(found.text(tree, "clientAuthenticatorType"))
    if tree.get("serviceAccountsEnabled") is not True:
        return Found(name, leaked=leaked, refused="its service account is off: it has no grant client_credentials")
    if tree.get("publicClient") is True or tree.get("bearerOnly") is True:
        return Found(name, leaked=leaked, refused="it is a public or bearer-only client")
    if method is None:
        kind = found.text(tree, "clientAuthenticatorType")
        return Found(name, leaked=leaked, refused=f"its clientAuthenticatorType does not exist here: {kind}")
    attributes = tree.get("attributes")
    attributes = attributes if isinstance(attributes, dict) else {}
    jwks = uri = None
    if method is Method.PRIVATE_KEY_JWT:
        uri, jwks, why = _keys(attributes)
        if why is not None:
            return Found(name, leaked=leaked, refused=why)
    left_out = [words for member, words in _FLOWS.items() if tree.get(member) is True]
    left_out += [words for member, words in _LISTS.items() if tree.get(member)]
    lifetime = found.text(attributes, _LIFETIME)
    default = found.texts(tree, "defaultClientScopes")
    return Found(
        name,
        scope=(*default, *found.texts(tree, "optionalClientScopes")),
        default_scope=default,
        method=method,
        jwks=jwks,
        jwks_uri=uri,
        token_lifetime=int(lifetime) if lifetime.isascii() and lifetime.isdigit() and len(lifetime) < 10 else None,
        is_enabled=tree.get("enabled") is not False,
        dpop=found.text(attributes, "dpop.bound.access.tokens") == "true",
        left_out=tuple(left_out),
        leaked=leaked,
    )


def _keys(attributes: Mapping[str, Any]) -> tuple[str | None, str | None, str | None]:
    """(jwks_uri, jwks, why neither)."""
    if found.text(attributes, "use.jwks.url") == "true" and found.text(attributes, "jwks.url"):
        return found.text(attributes, "jwks.url"), None, None
    written = found.text(attributes, "jwks.string")
    if not written:
        return None, None, "its keys stand in the export neither as jwks.url nor as jwks.string"
    try:
        tree = strict_json.parse(written)
    except ValueError:
        return None, None, "its jwks.string is not strict JSON"
    jwks, why = found.public_keys(tree)
    return None, jwks, why
