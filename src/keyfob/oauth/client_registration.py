"""RFC 7591: what a client says of itself so that it becomes registered, and the answer.

Of the metadata, what applies to a client that has a key or a certificate and asks for nothing but the client
credentials grant. A secret is never in an answer, so that no client with one is registered here.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

from keyfob.oauth import authorization_details as details
from keyfob.oauth import bearer, mutual_tls, resource_indicator, strict_json
from keyfob.oauth import scope as scopes
from keyfob.oauth.authorization_details import Details
from keyfob.oauth.client_authentication import Method
from keyfob.oauth.errors import (
    InvalidAuthorizationDetails,
    InvalidClientMetadata,
    InvalidRedirectUri,
    InvalidRequest,
    InvalidScope,
    InvalidSoftwareStatement,
    InvalidTarget,
    InvalidToken,
    OAuthError,
    TooManyRequests,
    UnapprovedSoftwareStatement,
)
from keyfob.oauth.mutual_tls import BOUND_TOKENS, CertificateSubject, InvalidMetadata
from keyfob.oauth.scope import Scope
from keyfob.oauth.token_endpoint import GRANT_TYPE
from keyfob.oauth.wire import Headers, Response, values
from keyfob.secret import Secret

METHODS = (Method.PRIVATE_KEY_JWT, Method.TLS_CLIENT_AUTH, Method.SELF_SIGNED_TLS_CLIENT_AUTH)
"""How a registered client may authenticate: by what never leaves it."""
MAX_RESOURCES = 64
_MAX_TEXT = 256
_MAX_CONTACTS = 10
_PAGES = ("client_uri", "logo_uri", "tos_uri", "policy_uri")
_TEXTS = ("software_id", "software_version")
_PAGE = re.compile(r"[\x21-\x7e]{1,512}")
_JWS = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")

Object = Mapping[str, object]
_Value = TypeVar("_Value")

_HEADERS = (
    # RFC 7591 §3.2.1: the answer is JSON, and never cached: it holds a token.
    (b"content-type", b"application/json"),
    (b"cache-control", b"no-store"),
    (b"pragma", b"no-cache"),
)


@dataclass(frozen=True, slots=True)
class ClientMetadata:
    """What a client says of itself (§2); None where it says nothing. Lifetimes in seconds.

    `resource`, `authorization_details` and `token_lifetime` are no members of the RFC: `resource` (RFC 8707) and
    `authorization_details` (RFC 9396) as in a token request, `keyfob_token_lifetime` ours. `jwks` is a JWK set as text,
    not looked into here. `described`: what is for people; it is kept, given back, and never followed.
    """

    auth_method: Method | None = None
    name: str | None = None
    scope: Scope | None = None
    resource: tuple[str, ...] | None = None
    authorization_details: Details | None = None
    token_lifetime: int | None = None
    jwks: str | None = None
    jwks_uri: str | None = None
    tls_subject: CertificateSubject | None = None
    dpop_bound: bool | None = None
    certificate_bound: bool | None = None
    described: Object = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RegisteredClient:
    """RFC 7591 §3.2.1, RFC 7592 §3: a client as it stands, and the token by which it looks after itself."""

    client_id: str
    issued_at: int
    metadata: ClientMetadata
    registration_client_uri: str
    registration_access_token: Secret


def read_token(headers: Headers, query_string: bytes) -> Secret | None:
    """The bearer token of a request (RFC 7591 §3.1, RFC 7592 §2); None without one. Raises InvalidRequest."""
    presented = bearer.read(headers, query_string)
    if query_string:
        raise InvalidRequest("there are no parameters here: what was in the URL counts as exposed")
    return presented


def read_document(headers: Headers, body: bytes) -> Object:
    """The JSON object of a request. Raises InvalidRequest."""
    media_type = (values(headers, b"content-type") or [b""])[0].partition(b";")[0].strip().lower()
    # RFC 7591 §3.1, RFC 7592 §2.2: the request is JSON, and says so.
    if media_type != b"application/json":
        raise InvalidRequest("the metadata come as application/json")
    try:
        document = strict_json.parse(body)
    except ValueError as broken:
        raise InvalidRequest(f"the metadata cannot be read: {broken}") from None
    if not isinstance(document, dict):
        raise InvalidRequest("the metadata are a JSON object")
    return document


def read_metadata(document: Object) -> ClientMetadata:
    """The metadata in a request; members that are not known are ignored (§2), and null is as good as none.

    Raises InvalidClientMetadata, InvalidRedirectUri, InvalidSoftwareStatement, UnapprovedSoftwareStatement.
    """
    said = {name: value for name, value in document.items() if value is not None}
    _refuse_what_is_not_served(said)
    # RFC 7591 §2: keys come by value or by reference, never both.
    if "jwks" in said and "jwks_uri" in said:
        raise InvalidClientMetadata("jwks and jwks_uri exclude each other")
    return ClientMetadata(
        auth_method=_read(said, "token_endpoint_auth_method", _method),
        name=_read(said, "client_name", _text),
        scope=_read(said, "scope", _scope),
        resource=_read(said, "resource", _resources),
        authorization_details=_read(said, "authorization_details", _details),
        token_lifetime=_read(said, "keyfob_token_lifetime", _seconds),
        jwks=_read(said, "jwks", _jwks),
        jwks_uri=_read(said, "jwks_uri", _text),
        tls_subject=_subject(said),
        dpop_bound=_read(said, "dpop_bound_access_tokens", _boolean),
        certificate_bound=_read(said, BOUND_TOKENS, _boolean),
        described=_described(said),
    )


def _refuse_what_is_not_served(said: Object) -> None:
    if "redirect_uris" in said and said["redirect_uris"] != []:
        raise InvalidRedirectUri("there is no redirection here: leave redirect_uris out")
    # RFC 7591 §2.1, §3.2.2: a client that could not work as it says is not registered.
    if _strings(said, "response_types"):
        raise InvalidClientMetadata("there is no authorization endpoint: response_types must be empty")
    grants = _strings(said, "grant_types")
    if grants is not None and grants != (GRANT_TYPE,):
        raise InvalidClientMetadata(f"only {GRANT_TYPE} is served: it is all that grant_types may hold")
    # RFC 7591 §3.2.1: a secret is for a client that has one, and there is none here.
    if "client_secret" in said:
        raise InvalidClientMetadata("a client with a secret is made by the operator: no secret is said here")
    statement = said.get("software_statement")
    if statement is not None and not (isinstance(statement, str) and _JWS.fullmatch(statement)):
        raise InvalidSoftwareStatement("the software statement is no signed JWT")
    if statement is not None:
        raise UnapprovedSoftwareStatement("no issuer of software statements is approved here")


def _read(said: Object, name: str, read: Callable[[object, str], _Value]) -> _Value | None:
    return read(said[name], name) if name in said else None


def _method(value: object, _name: str) -> Method:
    found = next((method for method in METHODS if method.value == value), None)
    # RFC 7591 §3.2.2: a method that is not served, or that needs a secret, is refused.
    if found is None:
        served = ", ".join(METHODS)
        raise InvalidClientMetadata(f"a registered client proves itself by a key or a certificate: {served}")
    return found


def _scope(value: object, name: str) -> Scope:
    try:
        return scopes.parse(_text(value, name, longest=4096))
    except InvalidScope as malformed:
        raise InvalidClientMetadata(malformed.description) from malformed


def _resources(value: object, name: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not 0 < len(value) <= MAX_RESOURCES:
        raise InvalidClientMetadata(f"{name} must be a list of at least one URL")
    try:
        found = tuple(resource_indicator.check(_text(one, name, longest=512)) for one in value)
    except InvalidTarget as malformed:
        raise InvalidClientMetadata(f"{name}: {malformed.description}") from malformed
    if len(set(found)) != len(found):
        raise InvalidClientMetadata(f"{name} names a URL twice")
    return found


def _details(value: object, name: str) -> Details:
    try:
        return details.parse(json.dumps(value))
    except InvalidAuthorizationDetails as malformed:
        raise InvalidClientMetadata(malformed.description) from malformed


def _seconds(value: object, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise InvalidClientMetadata(f"{name} must be a number of seconds")
    return value


def _boolean(value: object, name: str) -> bool:
    if not isinstance(value, bool):
        raise InvalidClientMetadata(f"{name} must be true or false")
    return value


def _text(value: object, name: str, *, longest: int = _MAX_TEXT) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= longest or not value.isprintable():
        raise InvalidClientMetadata(f"{name} must be text of 1 to {longest} printable characters")
    return value


def _jwks(value: object, name: str) -> str:
    if not isinstance(value, dict):
        raise InvalidClientMetadata(f"{name} must be a JWK set")
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _subject(said: Object) -> CertificateSubject | None:
    try:
        # RFC 8705 §2.1.2: the certificate of a client of tls_client_auth is known by one of its names.
        return mutual_tls.read_subject(said)
    except InvalidMetadata as malformed:
        raise InvalidClientMetadata(str(malformed)) from malformed


def _described(said: Object) -> Object:
    found: dict[str, object] = {name: _page(said[name], name) for name in _PAGES if name in said}
    found |= {name: _text(said[name], name) for name in _TEXTS if name in said}
    contacts = _strings(said, "contacts")
    if contacts:
        if len(contacts) > _MAX_CONTACTS:
            raise InvalidClientMetadata(f"contacts are at most {_MAX_CONTACTS}")
        found["contacts"] = [_text(one, "contacts") for one in contacts]
    return found


def _page(value: object, name: str) -> str:
    """RFC 7591 §2: the URL of a page for people. Nobody here opens it."""
    text = _text(value, name, longest=512)
    try:
        parts = urlsplit(text)
        is_page = parts.scheme == "https" and bool(parts.hostname) and "@" not in parts.netloc
    except ValueError:
        is_page = False
    if not is_page or not _PAGE.fullmatch(text):
        raise InvalidClientMetadata(f"{name} must be an https URL")
    return text


def _strings(said: Object, name: str) -> tuple[str, ...] | None:
    value = said.get(name)
    if value is None:
        return None
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise InvalidClientMetadata(f"{name} must be a list of strings")
    return tuple(value)


def write_metadata(metadata: ClientMetadata) -> dict[str, object]:
    """RFC 7591 §3.2.1: everything that is registered, also what was not asked for. `read_metadata` reads it back."""
    document: dict[str, object] = {
        # RFC 7591 §3.2.1: what was left to us is said, and what was replaced.
        "grant_types": [GRANT_TYPE],
        "response_types": [],
        "token_endpoint_auth_method": None if metadata.auth_method is None else metadata.auth_method.value,
        "client_name": metadata.name,
        "scope": None if metadata.scope is None else scopes.write(metadata.scope),
        "resource": None if metadata.resource is None else list(metadata.resource),
        "authorization_details": details.write_claim(metadata.authorization_details or ()) or None,
        "keyfob_token_lifetime": metadata.token_lifetime,
        "jwks": None if metadata.jwks is None else json.loads(metadata.jwks),
        "jwks_uri": metadata.jwks_uri,
        "dpop_bound_access_tokens": metadata.dpop_bound,
        BOUND_TOKENS: metadata.certificate_bound,
        **metadata.described,
    }
    if metadata.tls_subject is not None:
        document[metadata.tls_subject.field.value] = metadata.tls_subject.value
    return {name: value for name, value in document.items() if value is not None}


def write_response(registered: RegisteredClient, *, status: int) -> Response:
    """RFC 7591 §3.2.1 (status 201), RFC 7592 §3 (200)."""
    document = {
        # RFC 7591 §3.2.1: the answer holds the client's id.
        "client_id": registered.client_id,
        # RFC 7591 §3.2.1: the answer may say since when.
        "client_id_issued_at": registered.issued_at,
        # RFC 7592 §3: the answer says where the client looks after itself, and with which token.
        "registration_client_uri": registered.registration_client_uri,
        "registration_access_token": registered.registration_access_token.reveal(),
        # RFC 7591 §3.2.1: the answer holds all metadata that is registered.
        **write_metadata(registered.metadata),
    }
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(status, _HEADERS, body)


def write_error(error: OAuthError, *, error_id: str, came_without_token: bool = False) -> Response:
    """RFC 7591 §3.2.2; a token that is not good as RFC 6750 §3 says it. `error_id` finds the reason."""
    document = {"error": error.code, "error_description": error.description, "error_id": error_id}
    headers: tuple[tuple[bytes, bytes], ...] = _HEADERS
    if isinstance(error, InvalidToken):
        # RFC 6750 §3, §3.1: a 401 says which scheme, and no error code where no token came.
        challenge = bearer.challenge(None if came_without_token else error, resource_metadata=None)
        headers = (*headers, (b"www-authenticate", challenge))
    if isinstance(error, TooManyRequests):
        headers = (*headers, (b"retry-after", str(error.retry_after).encode()))
    body = json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()
    return Response(error.status, headers, body)
