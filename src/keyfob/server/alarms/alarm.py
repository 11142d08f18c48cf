"""An alarm as a value, and as the JSON that a webhook and a syslog message carry. Never a secret: ids and addresses."""

import json
from dataclasses import dataclass
from enum import StrEnum


class AlarmKind(StrEnum):
    """In the past tense. A kind is never renamed: receivers have rules on it."""

    REVOKED_CREDENTIAL_USED = "revoked_credential_used"
    RETIRED_CREDENTIAL_USED = "retired_credential_used"
    ADDRESS_NOT_ALLOWED = "address_not_allowed"
    SECRET_EXPOSED = "secret_exposed"  # noqa: S105  # the name of an event
    REGISTRATION_TOKEN_MISUSED = "registration_token_misused"  # noqa: S105  # the name of an event
    NETWORK_FAILED_OFTEN = "network_failed_often"
    CLIENT_FAILED_IN_A_ROW = "client_failed_in_a_row"
    FIRST_USE_UNEXPECTED = "first_use_unexpected"
    EMERGENCY_ACCESS_USED = "emergency_access_used"
    SECRET_REPORTED = "secret_reported"  # noqa: S105  # the name of an event
    LAST_SECRET_REPORTED = "last_secret_reported"  # noqa: S105
    AUDIT_FAILED = "audit_failed"
    SIGNING_FAILED = "signing_failed"
    TEST = "test"


_ALERT, _CRITICAL, _WARNING, _NOTICE = 1, 2, 4, 5

SEVERITY = {
    AlarmKind.REVOKED_CREDENTIAL_USED: _CRITICAL,
    AlarmKind.RETIRED_CREDENTIAL_USED: _WARNING,
    AlarmKind.ADDRESS_NOT_ALLOWED: _CRITICAL,
    AlarmKind.SECRET_EXPOSED: _CRITICAL,
    AlarmKind.REGISTRATION_TOKEN_MISUSED: _CRITICAL,
    AlarmKind.NETWORK_FAILED_OFTEN: _WARNING,
    AlarmKind.CLIENT_FAILED_IN_A_ROW: _WARNING,
    AlarmKind.FIRST_USE_UNEXPECTED: _WARNING,
    AlarmKind.EMERGENCY_ACCESS_USED: _CRITICAL,
    AlarmKind.SECRET_REPORTED: _CRITICAL,
    AlarmKind.LAST_SECRET_REPORTED: _ALERT,
    AlarmKind.AUDIT_FAILED: _ALERT,
    AlarmKind.SIGNING_FAILED: _ALERT,
    AlarmKind.TEST: _NOTICE,
}
"""RFC 5424 §6.2.1: 1 acts at once, 2 critical, 4 warning, 5 notice."""

_SUMMARIES = {
    AlarmKind.REVOKED_CREDENTIAL_USED: "a revoked credential was used, with the right secret",
    AlarmKind.RETIRED_CREDENTIAL_USED: "a retired credential was used, with the right secret",
    AlarmKind.ADDRESS_NOT_ALLOWED: "the right secret came from an address that is not on the client's list",
    AlarmKind.SECRET_EXPOSED: "a secret came in a URL or as a client_id: it counts as exposed",
    AlarmKind.REGISTRATION_TOKEN_MISUSED: "a token for registering was used again, after its end, or by another client",
    AlarmKind.NETWORK_FAILED_OFTEN: "one network fails to authenticate again and again",
    AlarmKind.CLIENT_FAILED_IN_A_ROW: "one client failed to authenticate many times without a success",
    AlarmKind.FIRST_USE_UNEXPECTED: "a secret was first used from another place than its message was fetched at",
    AlarmKind.EMERGENCY_ACCESS_USED: "a client that was made for an emergency got a token",
    AlarmKind.SECRET_REPORTED: "a leaked secret was presented, and is withdrawn if it still worked",
    AlarmKind.LAST_SECRET_REPORTED: "a leaked secret was presented and withdrawn: its client has no other",
    AlarmKind.AUDIT_FAILED: "the audit could not be written: what cannot be recorded is not issued",
    AlarmKind.SIGNING_FAILED: "the signing key in AWS KMS does not sign: no token is issued",
    AlarmKind.TEST: "a test: nothing happened",
}


@dataclass(frozen=True, slots=True)
class Alarm:
    """`subject`: whom it is about, such as `client cl_...`. `held_back`: how many like it were not told before it."""

    id: str
    kind: AlarmKind
    at: int
    issuer: str
    subject: str
    client_id: str | None = None
    address: str | None = None
    error_id: str | None = None
    held_back: int = 0

    @property
    def severity(self) -> int:
        return SEVERITY[self.kind]

    @property
    def summary(self) -> str:
        return _SUMMARIES[self.kind]

    def body(self) -> bytes:
        return write(self)


def write(alarm: Alarm) -> bytes:
    """One JSON document, in ASCII: it goes through syslog daemons of every age."""
    document = {
        "id": alarm.id,
        "kind": alarm.kind.value,
        "severity": alarm.severity,
        "at": alarm.at,
        "issuer": alarm.issuer,
        "subject": alarm.subject,
        "summary": alarm.summary,
        "client_id": alarm.client_id,
        "address": alarm.address,
        "error_id": alarm.error_id,
        "held_back": alarm.held_back,
    }
    return json.dumps(document, separators=(",", ":")).encode("ascii")
