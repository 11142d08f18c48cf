"""One credential as the vault keeps it: public fields in clear, the client information as ciphertext. A wire form.

The public fields serve to choose an entry without opening it; what is used in a request is read from the opened
ciphertext, and an entry whose two halves differ is refused.
"""

import json
import re
from dataclasses import dataclass
from enum import StrEnum

from keyfob.oauth import scope as scopes
from keyfob.oauth.client_information import ClientInformation
from keyfob.oauth.errors import InvalidScope
from keyfob.oauth.scope import Scope
from keyfob.partner.errors import VaultProblem
from keyfob.problem import Misuse

MAX_BYTES = 256 * 1024
_MAX_KEY_VERSION = 2**53
_VERSION = 3
_SINCE = {"aws-kms": 2, "keyring": 3, "vault": 3}
"""Which version first knew an entry of a kind. The lowest that fits is written, for older programs."""
# A client or credential id becomes a file name on every platform: no separator, no leading dot.
_FILE_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}")
_FINGERPRINT = re.compile(r"[0-9A-F]{40}|[0-9A-F]{64}")


class Keeping(StrEnum):
    """Under which kind of key an entry is, which is the `--key` of `keyfob receive`."""

    MESSAGE = "message"
    PASSPHRASE = "passphrase"  # noqa: S105  # the name of a way
    FILE = "file"
    KEYRING = "keyring"
    AWS_KMS = "aws-kms"
    VAULT = "vault"


def read_keeping(said: str | None) -> tuple[Keeping | None, str | None]:
    """What --key says: the way of keeping, and the key's name where it has one. Raises Misuse."""
    if said is None:
        return None, None
    name, colon, key = said.partition(":")
    is_named = name in (Keeping.AWS_KMS, Keeping.VAULT)
    if name not in set(Keeping) or is_named != bool(key) or (colon and not is_named):
        hint = "--key message, passphrase, file, keyring, aws-kms:ARN or vault:KEY"
        raise Misuse("bad-key", "--key names no way of keeping", hint=hint)
    return Keeping(name), said if key else None


@dataclass(frozen=True, slots=True)
class Entry:
    """A stored credential. `ciphertext` is ASCII: the armored message, or an envelope in base64.

    `received` counts the receipts of a vault, so that two messages of the same second have an order.
    `usable_from`: a key that the client has upgraded itself to may be announced first, and count from a later date.
    `opened_with` names what opens it, where that has a name: a file's path, `keyring:ID`, `aws-kms:ARN`,
    `vault:MOUNT/KEY`. Never a secret. `key_version` counts the envelopes that this credential was put into.
    """

    client_id: str
    credential_id: str
    issuer: str
    token_endpoint: str
    scope: Scope
    resource: tuple[str, ...]
    issued_at: int
    expires_at: int
    message_id: str
    recipient_fingerprint: str
    signer_fingerprint: str
    signer_certificate: str
    received: int
    keeping: Keeping
    opened_with: str | None
    ciphertext: str
    key_version: int = 1
    usable_from: int = 0

    @property
    def is_own_key(self) -> bool:
        """Whether it is a key that was made here, and not the secret of a message."""
        return self.message_id == self.credential_id

    @property
    def record_id(self) -> str:
        """What an envelope of this entry is bound to."""
        return f"{self.client_id}/{self.credential_id}"

    def describes(self, information: ClientInformation) -> bool:
        """Whether the clear half says exactly what the opened half says."""
        return (
            self.client_id == information.client_id
            and self.credential_id == information.credential_id
            and self.issuer == information.issuer
            and self.token_endpoint == information.token_endpoint
            and self.scope == information.scope
            and self.resource == information.resource
            and self.issued_at == information.issued_at
            and self.expires_at == information.client_secret_expires_at
            and self.message_id == information.message_id
            and self.recipient_fingerprint == information.recipient_fingerprint
        )


def check_file_name(name: str) -> str:
    """`name`, which is safe as a file name. Raises VaultProblem."""
    if not _FILE_NAME.fullmatch(name):
        raise VaultProblem("damaged-entry", "an id in the message is not usable as a file name", hint=_ASK)
    return name


def write(entry: Entry) -> bytes:
    """The entry as a JSON file."""
    document = {
        "version": max(_SINCE.get(entry.keeping, 1), 3 if entry.key_version > 1 else 1),
        "client_id": entry.client_id,
        "credential_id": entry.credential_id,
        "issuer": entry.issuer,
        "token_endpoint": entry.token_endpoint,
        "scope": scopes.write(entry.scope),
        "resource": list(entry.resource),
        "issued_at": entry.issued_at,
        "expires_at": entry.expires_at,
        "message_id": entry.message_id,
        "recipient_fingerprint": entry.recipient_fingerprint,
        "signer_fingerprint": entry.signer_fingerprint,
        "signer_certificate": entry.signer_certificate,
        "received": entry.received,
        "key": str(entry.keeping),
        "opened_with": entry.opened_with,
        "ciphertext": entry.ciphertext,
    }
    if entry.key_version > 1:
        document["key_version"] = entry.key_version
    if entry.usable_from:
        document["usable_from"] = entry.usable_from
    return json.dumps(document, indent=1, ensure_ascii=False).encode() + b"\n"


def read(body: bytes, *, where: str) -> Entry:
    """The entry that `write` wrote. `where` is the file, for the error. Raises VaultProblem `damaged-entry`."""
    try:
        document = json.loads(body.decode()) if len(body) <= MAX_BYTES else None
        if not isinstance(document, dict):
            raise TypeError("no JSON object of a fitting size")
        fields = _Fields(document)
        if fields.number("version") > _VERSION:
            raise VaultProblem("newer-entry", f"{where} was written by a newer keyfob", hint="upgrade keyfob")
        return Entry(
            client_id=fields.matching("client_id", _FILE_NAME),
            credential_id=fields.matching("credential_id", _FILE_NAME),
            issuer=fields.text("issuer"),
            token_endpoint=fields.text("token_endpoint"),
            scope=scopes.parse(fields.text("scope")) if fields.text("scope") else frozenset(),
            resource=fields.texts("resource"),
            issued_at=fields.number("issued_at"),
            expires_at=fields.number("expires_at"),
            message_id=fields.text("message_id"),
            recipient_fingerprint=fields.matching("recipient_fingerprint", _FINGERPRINT),
            signer_fingerprint=fields.matching("signer_fingerprint", _FINGERPRINT),
            signer_certificate=fields.text("signer_certificate"),
            received=fields.number("received"),
            keeping=Keeping(fields.text("key")),
            opened_with=None if document.get("opened_with") is None else fields.text("opened_with"),
            ciphertext=fields.text("ciphertext"),
            key_version=_key_version(document, fields),
            usable_from=fields.number("usable_from") if "usable_from" in document else 0,
        )
    except (ValueError, KeyError, TypeError, RecursionError, InvalidScope) as broken:
        raise VaultProblem("damaged-entry", f"{where} is damaged", hint="receive the sealed message again") from broken


def _key_version(document: dict[str, object], fields: "_Fields") -> int:
    version = fields.number("key_version") if "key_version" in document else 1
    if not 1 <= version <= _MAX_KEY_VERSION:
        raise ValueError("key_version")
    return version


class _Fields:
    """Typed access: json.loads may have found anything."""

    def __init__(self, document: dict[str, object]) -> None:
        self._document = document

    def text(self, name: str) -> str:
        value = self._document[name]
        if not isinstance(value, str):
            raise TypeError(name)
        value.encode()  # a lone surrogate is no text
        return value

    def matching(self, name: str, pattern: re.Pattern[str]) -> str:
        value = self.text(name)
        if not pattern.fullmatch(value):
            raise ValueError(name)
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        value = self._document[name]
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise TypeError(name)
        return tuple(item for item in value)

    def number(self, name: str) -> int:
        value = self._document[name]
        if type(value) is not int:
            raise TypeError(name)
        return value


_ASK = "ask the operator for a new message"
