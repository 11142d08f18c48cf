"""What a partner may ask for by the signature of its confirmed certificate alone: other keys, or that none come.

    {"purpose": "keyfob-change", "issuer": "https://...", "client_id": "cl_...", "asked_at": 1700000000, ...}

and exactly one of `jwks` (a JWK set, RFC 7517: all keys from then on), `add_keys` (a JWK set: these besides the
present ones), `remove_keys` (thumbprints, RFC 7638: without these), `jwks_uri` (where the partner publishes them),
`certificate` (base64 of its OpenPGP certificate, the same key with a later expiry) and `stop` (what was announced).
Signed in clear (RFC 9580 §7). For issuer and partner alike.
"""

import base64
import binascii
import json
from dataclasses import dataclass

from keyfob.oauth import strict_json

PURPOSE = "keyfob-change"
PATH = "/partner/v1/changes"
MAX_BYTES = 12 * 1024
_WISHES = ("jwks", "add_keys", "remove_keys", "jwks_uri", "certificate", "stop")
_MAX_REMOVED = 16


class MalformedChangeRequest(ValueError):
    """The text names the member, and quotes no value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRequest:
    """One wish of the partner of `client_id`, and when it was written, in seconds since 1970.

    `jwks` and `add_keys`: JSON.
    """

    issuer: str
    client_id: str
    asked_at: int
    jwks: str | None = None
    add_keys: str | None = None
    remove_keys: tuple[str, ...] = ()
    jwks_uri: str | None = None
    certificate: bytes | None = None
    stop: str | None = None

    @property
    def written_at(self) -> int:
        return self.asked_at


def write(one: ChangeRequest) -> bytes:
    """The document to sign, in ASCII, without a line that signing in clear would have to change."""
    wishes: dict[str, object] = {
        "jwks": None if one.jwks is None else json.loads(one.jwks),
        "add_keys": None if one.add_keys is None else json.loads(one.add_keys),
        "remove_keys": list(one.remove_keys) or None,
        "jwks_uri": one.jwks_uri,
        "certificate": None if one.certificate is None else base64.b64encode(one.certificate).decode(),
        "stop": one.stop,
    }
    document: dict[str, object] = {"purpose": PURPOSE, "issuer": one.issuer, "client_id": one.client_id}
    document |= {"asked_at": one.asked_at} | {name: value for name, value in wishes.items() if value is not None}
    return json.dumps(document, indent=1).encode("ascii")


def read(text: bytes) -> ChangeRequest:
    """Raises MalformedChangeRequest, also for another purpose."""
    try:
        found = strict_json.parse(text) if len(text) <= MAX_BYTES else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise MalformedChangeRequest("it is no small JSON object")
    if found.get("purpose") != PURPOSE:
        raise MalformedChangeRequest("its purpose is another")
    wished = [name for name in _WISHES if name in found]
    if len(wished) != 1:
        raise MalformedChangeRequest(f"exactly one of {', '.join(_WISHES)} is asked for")
    asked_at = found.get("asked_at")
    if type(asked_at) is not int or asked_at < 0:
        raise MalformedChangeRequest("asked_at is missing or malformed")
    return ChangeRequest(
        issuer=_text(found, "issuer"),
        client_id=_text(found, "client_id"),
        asked_at=asked_at,
        jwks=_object(found, "jwks") if "jwks" in found else None,
        add_keys=_object(found, "add_keys") if "add_keys" in found else None,
        remove_keys=_names(found, "remove_keys") if "remove_keys" in found else (),
        jwks_uri=_text(found, "jwks_uri") if "jwks_uri" in found else None,
        certificate=_bytes(found, "certificate") if "certificate" in found else None,
        stop=_text(found, "stop") if "stop" in found else None,
    )


def _text(document: dict[str, object], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
        raise MalformedChangeRequest(f"{name} is missing or malformed")
    return value


def _object(document: dict[str, object], name: str) -> str:
    value = document[name]
    if not isinstance(value, dict):
        raise MalformedChangeRequest(f"{name} is no JSON object")
    return json.dumps(value)


def _names(document: dict[str, object], name: str) -> tuple[str, ...]:
    value = document[name]
    if not isinstance(value, list) or not 0 < len(value) <= _MAX_REMOVED:
        raise MalformedChangeRequest(f"{name} is no list of 1 to {_MAX_REMOVED}")
    return tuple(_text({name: one}, name) for one in value)


def _bytes(document: dict[str, object], name: str) -> bytes:
    try:
        return base64.b64decode(_text(document, name), validate=True)
    except binascii.Error:
        raise MalformedChangeRequest(f"{name} is not base64") from None
