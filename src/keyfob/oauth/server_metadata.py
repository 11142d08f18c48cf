"""RFC 8414: what an authorization server says of itself."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import urlsplit

from keyfob.oauth import resource_indicator, strict_json
from keyfob.oauth.errors import InvalidTarget

PATH = "/.well-known/oauth-authorization-server"
MAX_BYTES = 64 * 1024


class MalformedMetadata(ValueError):
    """The document cannot be used; the text says which member and why."""


@dataclass(frozen=True, slots=True)
class ServerMetadata:
    """The members that Keyfob serves and uses. URLs are absolute; what is empty is not said (RFC 8414 §3.2)."""

    issuer: str
    token_endpoint: str
    jwks_uri: str
    registration_endpoint: str = ""
    introspection_endpoint: str = ""
    revocation_endpoint: str = ""
    service_documentation: str = ""
    scopes_supported: tuple[str, ...] = ()
    token_endpoint_auth_methods_supported: tuple[str, ...] = ()
    token_endpoint_auth_signing_alg_values_supported: tuple[str, ...] = ()
    introspection_endpoint_auth_methods_supported: tuple[str, ...] = ()
    introspection_endpoint_auth_signing_alg_values_supported: tuple[str, ...] = ()
    introspection_signing_alg_values_supported: tuple[str, ...] = ()
    """RFC 9701 §7."""

    revocation_endpoint_auth_methods_supported: tuple[str, ...] = ()
    revocation_endpoint_auth_signing_alg_values_supported: tuple[str, ...] = ()
    dpop_signing_alg_values_supported: tuple[str, ...] = ()
    """RFC 9449 §5.1."""

    tls_client_certificate_bound_access_tokens: bool = False
    """RFC 8705 §3.3."""

    authorization_details_types_supported: tuple[str, ...] = ()
    protected_resources: tuple[str, ...] = ()
    """RFC 9728 §4."""

    grant_types_supported: tuple[str, ...] = ("client_credentials",)
    response_types_supported: tuple[str, ...] = ()
    """Required by RFC 8414 §2; empty, since there is no authorization endpoint."""

    keyfob_leaks_endpoint: str = ""
    """Where whoever holds a leaked secret of the server's presents it."""

    keyfob_revocations_endpoint: str = ""
    keyfob_revocations_jwks: Mapping[str, object] | None = None
    """Where resources poll the revocation feed, and the keys that sign it, which sign nothing else."""

    keyfob_usage_endpoint: str = ""
    """Where resources tell which scopes are used."""


_LISTS = tuple(
    field.name for field in fields(ServerMetadata) if field.name.endswith(("_supported", "protected_resources"))
)
_URLS = (
    "registration_endpoint",
    "introspection_endpoint",
    "revocation_endpoint",
    "service_documentation",
    "keyfob_leaks_endpoint",
    "keyfob_revocations_endpoint",
    "keyfob_usage_endpoint",
)


def well_known(issuer: str) -> str:
    """The URL of the metadata: RFC 8414 §3.1 puts the well-known path between host and the issuer's path."""
    parts = urlsplit(issuer)
    # RFC 8414 §3, §3.1: the well-known path stands between host and path, and no slash at the end.
    return f"{parts.scheme}://{parts.netloc}{PATH}{parts.path.rstrip('/')}"


def write(metadata: ServerMetadata) -> bytes:
    document: dict[str, object] = {
        "issuer": metadata.issuer,
        "token_endpoint": metadata.token_endpoint,
        "jwks_uri": metadata.jwks_uri,
    }
    for name in _URLS:
        if url := getattr(metadata, name):
            document[name] = url
    for name in _LISTS:
        value: tuple[str, ...] = getattr(metadata, name)
        # RFC 8414 §3.2: members without elements are left out, but for the required one.
        if value or name == "response_types_supported":
            document[name] = list(value)
    # RFC 8705 §3.3: left out, it means false.
    if metadata.tls_client_certificate_bound_access_tokens:
        document["tls_client_certificate_bound_access_tokens"] = True
    if metadata.keyfob_revocations_jwks is not None:
        document["keyfob_revocations_jwks"] = dict(metadata.keyfob_revocations_jwks)
    return json.dumps(document, separators=(",", ":")).encode()


def read(body: bytes, *, issuer: str) -> ServerMetadata:
    """The metadata of `issuer`. Raises MalformedMetadata, also when another issuer speaks (RFC 8414 §3.3)."""
    document = parse_object(body)
    # RFC 8414 §3.3, §4, §6.2: the issuer is compared byte for byte: two spellings are two issuers.
    if document.get("issuer") != issuer:
        raise MalformedMetadata("the metadata is another issuer's")
    optional: dict[str, Any] = {name: _url(document, name) for name in _URLS if name in document}
    lists: dict[str, Any] = {name: texts(document.get(name, []), name) for name in _LISTS}
    return ServerMetadata(
        issuer=issuer,
        token_endpoint=_url(document, "token_endpoint"),
        jwks_uri=_url(document, "jwks_uri"),
        **optional,
        **lists,
        tls_client_certificate_bound_access_tokens=document.get("tls_client_certificate_bound_access_tokens") is True,
        keyfob_revocations_jwks=_object(document, "keyfob_revocations_jwks"),
    )


def parse_object(body: bytes) -> dict[str, object]:
    """A JSON object of bounded size. Raises MalformedMetadata."""
    if len(body) > MAX_BYTES:
        raise MalformedMetadata(f"the metadata is larger than {MAX_BYTES} bytes")
    try:
        document = strict_json.parse(body)
    except ValueError as broken:
        raise MalformedMetadata(f"the metadata cannot be read: {broken}") from broken
    if not isinstance(document, dict):
        raise MalformedMetadata("the metadata is no JSON object")
    return document


def texts(value: object, name: str) -> tuple[str, ...]:
    """A list of strings. Raises MalformedMetadata."""
    if not isinstance(value, list) or len(value) > 1000 or not all(isinstance(item, str) for item in value):
        raise MalformedMetadata(f"{name} must be a list of strings")
    return tuple(value)


def _object(document: dict[str, object], name: str) -> Mapping[str, object] | None:
    value = document.get(name)
    if value is not None and not isinstance(value, dict):
        raise MalformedMetadata(f"{name} must be an object")
    return value


def _url(document: dict[str, object], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str):
        raise MalformedMetadata(f"{name} is missing")
    try:
        # RFC 8414 §2: the URLs in the metadata are https.
        resource_indicator.check(value)
    except InvalidTarget as refused:
        raise MalformedMetadata(f"{name}: {refused.description}") from refused
    return value
