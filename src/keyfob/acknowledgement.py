"""The receipt for a sealed message, which the partner signs: a small JSON document, for issuer and partner alike.

    {"purpose": "keyfob-acknowledgement", "issuer": "https://...", "client_id": "cl_...", "credential_id": "...",
     "message_id": "msg_...", "digest": "SHA-256 of the message, in hex", "acknowledged_at": 1700000000}

It says that whoever has the private key has opened this very message. It gives no right.
"""

import hashlib
import json
import re
from dataclasses import dataclass

from keyfob.oauth import strict_json

PURPOSE = "keyfob-acknowledgement"
MAX_BYTES = 4096
PATH = "/partner/v1/acknowledgements"
_MEMBERS = ("issuer", "client_id", "credential_id", "message_id", "digest")
_DIGEST = re.compile(r"[0-9a-f]{64}")


class MalformedAcknowledgement(ValueError):
    """The text names the member, and quotes no value."""


@dataclass(frozen=True, slots=True)
class Acknowledgement:
    """Which message, and when it was opened, in seconds since 1970."""

    issuer: str
    client_id: str
    credential_id: str
    message_id: str
    digest: str
    acknowledged_at: int

    @property
    def written_at(self) -> int:
        return self.acknowledged_at


def digest_of(message: bytes) -> str:
    """The SHA-256 of an armored message as it was made: what mail programs do to the ends of lines is undone."""
    lines = message.replace(b"\r\n", b"\n").strip()
    return hashlib.sha256(lines + b"\n").hexdigest()


def write(one: Acknowledgement) -> bytes:
    """The document to sign, in ASCII, without a line that signing in clear would have to change."""
    document = {"purpose": PURPOSE, **{name: getattr(one, name) for name in _MEMBERS}}
    return json.dumps(document | {"acknowledged_at": one.acknowledged_at}, indent=1).encode("ascii")


def read(text: bytes) -> Acknowledgement:
    """Raises MalformedAcknowledgement, also for another purpose."""
    try:
        found = strict_json.parse(text) if len(text) <= MAX_BYTES else None
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise MalformedAcknowledgement("it is no small JSON object")
    if found.get("purpose") != PURPOSE:
        raise MalformedAcknowledgement("its purpose is another")
    members = {name: found.get(name) for name in _MEMBERS}
    for name, value in members.items():
        if not isinstance(value, str) or not value or not value.isascii() or not value.isprintable():
            raise MalformedAcknowledgement(f"{name} is missing or malformed")
    at = found.get("acknowledged_at")
    if type(at) is not int or at < 0:
        raise MalformedAcknowledgement("acknowledged_at is missing or malformed")
    if not _DIGEST.fullmatch(str(members["digest"])):
        raise MalformedAcknowledgement("digest is malformed")
    return Acknowledgement(**{name: str(value) for name, value in members.items()}, acknowledged_at=at)
