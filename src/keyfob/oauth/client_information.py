"""RFC 7591 §3.2.1: client information, with what the hand-off needs besides: the plaintext of the sealed message."""

import json
import re
from dataclasses import dataclass

from keyfob.oauth import resource_indicator, scope, strict_json
from keyfob.oauth.errors import InvalidScope, InvalidTarget
from keyfob.oauth.scope import Scope
from keyfob.secret import Secret

MAX_BYTES = 16 * 1024
_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_FINGERPRINT = re.compile(r"[0-9A-F]{40}|[0-9A-F]{64}")
_SECRET = re.compile(r"[A-Za-z0-9._-]{1,256}")
_PEM = re.compile(r"-----BEGIN PRIVATE KEY-----[A-Za-z0-9+/=\n]{1,4000}-----END PRIVATE KEY-----\n?")
_MAX_DATE = 253402300799


class MalformedMessage(ValueError):
    """The plaintext is no client information; the text names the member and never quotes a value."""


@dataclass(frozen=True, slots=True)
class ClientInformation:
    """A client's registration as handed over. Dates in seconds since 1970; expiry 0 means never (RFC 7591 §3.2.1).

    `resource`: the first is the default. `client_key` (PKCS#8 PEM) stands in the place of the secret where the client
    has upgraded itself: it is written into a vault alone, and never into a message. `recipient_fingerprint` binds the
    message to one certificate, `message_id` and `issued_at` to one hand-off.
    """

    client_id: str
    client_secret: Secret | None
    client_id_issued_at: int
    client_secret_expires_at: int
    issuer: str
    token_endpoint: str
    scope: Scope
    resource: tuple[str, ...]
    credential_id: str
    message_id: str
    issued_at: int
    recipient_fingerprint: str
    client_key: Secret | None = None


def write(info: ClientInformation) -> Secret:
    """The JSON text to seal: readable for who opens it with gpg alone."""
    document: dict[str, object] = {
        "client_id": info.client_id,
        "client_id_issued_at": info.client_id_issued_at,
        "client_secret_expires_at": info.client_secret_expires_at,
        "issuer": info.issuer,
        "token_endpoint": info.token_endpoint,
        "scope": scope.write(info.scope),
        "resource": list(info.resource),
        "credential_id": info.credential_id,
        "message_id": info.message_id,
        "issued_at": info.issued_at,
        "recipient_fingerprint": info.recipient_fingerprint,
    }
    if info.client_secret is not None:
        document["client_secret"] = info.client_secret.reveal()
    if info.client_key is not None:
        document["client_key"] = info.client_key.reveal()
    return Secret(json.dumps(document, indent=2).encode() + b"\n")


def read(plaintext: Secret) -> ClientInformation:
    """The client information in an opened message. Raises MalformedMessage."""
    body = plaintext.reveal_bytes()
    if len(body) > MAX_BYTES:
        raise MalformedMessage(f"the message is larger than {MAX_BYTES} bytes")
    try:
        document = strict_json.parse(body)
    except ValueError:
        # Without the cause: a parser's words could hold a piece of the secret.
        raise MalformedMessage("the message is not strict JSON") from None
    if not isinstance(document, dict):
        raise MalformedMessage("the message is no JSON object")
    return ClientInformation(
        client_id=_id(document, "client_id"),
        client_secret=_secret(document, "client_secret", _SECRET),
        client_id_issued_at=_date(document, "client_id_issued_at"),
        client_secret_expires_at=_date(document, "client_secret_expires_at"),
        issuer=_url(document.get("issuer"), "issuer"),
        token_endpoint=_url(document.get("token_endpoint"), "token_endpoint"),
        scope=_scope(document),
        resource=_resources(document),
        credential_id=_id(document, "credential_id"),
        message_id=_id(document, "message_id"),
        issued_at=_date(document, "issued_at"),
        recipient_fingerprint=_matching(document, "recipient_fingerprint", _FINGERPRINT),
        client_key=_secret(document, "client_key", _PEM),
    )


def _matching(document: dict[str, object], name: str, pattern: re.Pattern[str]) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise MalformedMessage(f"{name} is missing or malformed")
    return value


def _id(document: dict[str, object], name: str) -> str:
    return _matching(document, name, _ID)


def _date(document: dict[str, object], name: str) -> int:
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= _MAX_DATE:
        raise MalformedMessage(f"{name} is missing or malformed")
    return value


def _secret(document: dict[str, object], name: str, pattern: re.Pattern[str]) -> Secret | None:
    if name not in document:
        return None
    value = document[name]
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise MalformedMessage(f"{name} is malformed")
    return Secret(value)


def _url(value: object, name: str) -> str:
    if not isinstance(value, str):
        raise MalformedMessage(f"{name} is missing or malformed")
    try:
        resource_indicator.check(value)
    except InvalidTarget as refused:
        raise MalformedMessage(f"{name}: {refused.description}") from None
    return value


def _scope(document: dict[str, object]) -> Scope:
    value = document.get("scope")
    try:
        return scope.parse(value) if isinstance(value, str) else _missing("scope")
    except InvalidScope:
        raise MalformedMessage("scope is malformed") from None


def _missing(name: str) -> Scope:
    raise MalformedMessage(f"{name} is missing")


def _resources(document: dict[str, object]) -> tuple[str, ...]:
    value = document.get("resource")
    if not isinstance(value, list) or not 0 < len(value) <= 64:
        raise MalformedMessage("resource must be an array of at least one URL")
    return tuple(_url(item, "resource") for item in value)
