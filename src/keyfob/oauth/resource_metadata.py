"""RFC 9728: what a protected resource says of itself; as a file, it registers the resource with the operator."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from keyfob.oauth import resource_indicator, scope
from keyfob.oauth.errors import InvalidScope, InvalidTarget
from keyfob.oauth.server_metadata import MalformedMetadata, parse_object, texts

PATH = "/.well-known/oauth-protected-resource"


@dataclass(frozen=True, slots=True)
class ResourceMetadata:
    """A resource, its scopes with a description each, its authorization details types, and its public keys (a JWKS)."""

    resource: str
    authorization_servers: tuple[str, ...]
    scopes: Mapping[str, str]
    authorization_details_types: tuple[str, ...]
    jwks: Mapping[str, object]


def well_known(resource: str) -> str:
    """RFC 9728 §3.1: the well-known path stands between host and the resource's path."""
    parts = urlsplit(resource)
    # RFC 9728 §3, §3.1: the well-known path stands between host and path, and no slash at the end.
    return f"{parts.scheme}://{parts.netloc}{PATH}{parts.path.rstrip('/')}"


def write(metadata: ResourceMetadata) -> bytes:
    """RFC 9728 §2; `keyfob_scopes` adds the descriptions, `jwks` (an addition too) the keys by value."""
    document: dict[str, object] = {
        "resource": metadata.resource,
        "authorization_servers": list(metadata.authorization_servers),
        "scopes_supported": sorted(metadata.scopes),
        "bearer_methods_supported": ["header"],
        "authorization_details_types_supported": list(metadata.authorization_details_types),
        "keyfob_scopes": dict(sorted(metadata.scopes.items())),
        "jwks": dict(metadata.jwks),
    }
    # RFC 9728 §3.2: members without elements are left out.
    document = {name: value for name, value in document.items() if value}
    return json.dumps(document, ensure_ascii=False, indent=2).encode() + b"\n"


def read(body: bytes) -> ResourceMetadata:
    """The metadata in `body`. Raises MalformedMetadata, which names the member."""
    document = parse_object(body)
    resource = document.get("resource")
    if not isinstance(resource, str):
        raise MalformedMetadata("resource is missing")
    try:
        checked = resource_indicator.check(resource)
    except InvalidTarget as refused:
        raise MalformedMetadata(f"resource: {refused.description}") from refused
    jwks = document.get("jwks", {"keys": []})
    if not isinstance(jwks, dict) or not isinstance(jwks.get("keys"), list):
        raise MalformedMetadata("jwks must be a JWK set")
    # RFC 7517 §9.2, RFC 8037 §2: a private key is never published.
    if any(not isinstance(key, dict) or "d" in key or key.get("kty") == "oct" for key in jwks["keys"]):
        raise MalformedMetadata("jwks holds a private key, which must be considered exposed")
    return ResourceMetadata(
        resource=checked,
        authorization_servers=texts(document.get("authorization_servers", []), "authorization_servers"),
        scopes=_scopes(document),
        authorization_details_types=texts(
            document.get("authorization_details_types_supported", []), "authorization_details_types_supported"
        ),
        jwks=jwks,
    )


def _scopes(document: dict[str, object]) -> dict[str, str]:
    names = texts(document.get("scopes_supported", []), "scopes_supported")
    described = document.get("keyfob_scopes", {})
    if not isinstance(described, dict) or not all(isinstance(text, str) for text in described.values()):
        raise MalformedMetadata("keyfob_scopes must map scopes to descriptions")
    if not names:
        raise MalformedMetadata("scopes_supported is empty: a resource without scopes cannot be granted")
    for name in names:
        try:
            tokens = scope.parse(name)
        except InvalidScope as refused:
            raise MalformedMetadata(f"scopes_supported: {refused.description}") from refused
        if len(tokens) != 1:
            raise MalformedMetadata("scopes_supported: one scope in each string")
    return {name: described.get(name, "") for name in names}
