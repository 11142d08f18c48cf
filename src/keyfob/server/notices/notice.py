"""A notice as a value, and as the JSON that webhook and syslog carry. Never a secret: ids, names and dates."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

Fact = str | int | None
Facts = Mapping[str, Fact]


class Role(StrEnum):
    """Whom a notice is for. A partner is told by e-mail; the operator also by what the alarms go to."""

    PARTNER = "partner"
    OPERATOR = "operator"


BOTH = (Role.PARTNER, Role.OPERATOR)


class NoticeKind(StrEnum):
    """A kind is never renamed: receivers have rules on it."""

    CREDENTIAL_EXPIRES = "credential_expires"
    CERTIFICATE_EXPIRES = "certificate_expires"
    CERTIFICATE_EXPIRED = "certificate_expired"
    CERTIFICATE_ENDS_IN_ROTATION = "certificate_ends_in_rotation"
    CERTIFICATE_RENEWED = "certificate_renewed"
    CERTIFICATE_REPLACED = "certificate_replaced"
    CONTACT_CHANGED = "contact_changed"
    CLIENT_ADDED = "client_added"
    CLIENT_KEYS_ANNOUNCED = "client_keys_announced"
    CLIENT_KEYS_CHANGED = "client_keys_changed"
    CHANGE_STOPPED = "change_stopped"
    SUCCESSOR_SEALED = "successor_sealed"
    ROTATION_NOT_MADE = "rotation_not_made"
    SECRET_LEAKED = "secret_leaked"  # noqa: S105  # the name of an event
    INITIAL_TOKEN_LEAKED = "initial_token_leaked"  # noqa: S105
    REGISTRATION_TOKEN_LEAKED = "registration_token_leaked"  # noqa: S105
    ACCESS_TOKEN_LEAKED = "access_token_leaked"  # noqa: S105
    LINK_LEAKED = "link_leaked"
    OPERATOR_KEY_LEAKED = "operator_key_leaked"
    REPLACEMENT_SEALED = "replacement_sealed"
    TEST = "test"


_WARNING, _NOTICE = 4, 5
_SEVERE = frozenset(
    {
        NoticeKind.CERTIFICATE_EXPIRED,
        NoticeKind.CERTIFICATE_REPLACED,
        NoticeKind.CLIENT_KEYS_ANNOUNCED,
        NoticeKind.CLIENT_KEYS_CHANGED,
        NoticeKind.CONTACT_CHANGED,
        NoticeKind.ROTATION_NOT_MADE,
        NoticeKind.SECRET_LEAKED,
        NoticeKind.INITIAL_TOKEN_LEAKED,
        NoticeKind.REGISTRATION_TOKEN_LEAKED,
        NoticeKind.ACCESS_TOKEN_LEAKED,
        NoticeKind.LINK_LEAKED,
        NoticeKind.OPERATOR_KEY_LEAKED,
        NoticeKind.REPLACEMENT_SEALED,
    }
)


@dataclass(frozen=True, slots=True)
class Notice:
    """Of each kind, subject, threshold (days, or 0) and recipient there is one.

    A partner is told at the address that it has by then, or at that of the fact `to`. `attachment`: a sealed message,
    armored.
    """

    kind: NoticeKind
    subject: str
    recipient: Role
    at: int
    threshold: int = 0
    partner_id: str | None = None
    facts: Facts = field(default_factory=dict)
    attachment: str | None = None

    @property
    def id(self) -> str:
        """Made of what it is about, so that whoever writes it twice writes one."""
        named = json.dumps([self.kind, self.subject, self.threshold, self.recipient])
        return f"ntc_{hashlib.sha256(named.encode()).hexdigest()[:32]}"


@dataclass(frozen=True, slots=True)
class Posted:
    """A notice as a sink takes it: see alarms.courier.Message."""

    notice: Notice
    issuer: str
    summary: str

    @property
    def id(self) -> str:
        return self.notice.id

    @property
    def kind(self) -> str:
        return self.notice.kind.value

    @property
    def at(self) -> int:
        return self.notice.at

    @property
    def severity(self) -> int:
        return _WARNING if self.notice.kind in _SEVERE else _NOTICE

    def body(self) -> bytes:
        """One JSON document, in ASCII, with the fields of an alarm and `facts`."""
        document = {
            "id": self.id,
            "kind": self.kind,
            "severity": self.severity,
            "at": self.notice.at,
            "issuer": self.issuer,
            "subject": self.notice.subject,
            "summary": self.summary,
            "facts": dict(self.notice.facts),
        }
        return json.dumps(document, separators=(",", ":")).encode("ascii")
