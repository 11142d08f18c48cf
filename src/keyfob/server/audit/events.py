"""What an audit record says: a kind, who did it, and fields. The wire form is canonical JSON, for ever readable."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

import msgspec


class Kind(StrEnum):
    """In the past tense. A kind is never renamed: records outlive programs."""

    INSTALLATION_CREATED = "installation_created"
    SIGNING_KEY_CREATED = "signing_key_created"
    SIGNING_KEY_REVOKED = "signing_key_revoked"
    RESOURCE_ADDED = "resource_added"
    RESOURCE_CHANGED = "resource_changed"
    PARTNER_ADDED = "partner_added"
    PARTNER_CERTIFICATE_RENEWED = "partner_certificate_renewed"
    PARTNER_CERTIFICATE_REPLACED = "partner_certificate_replaced"
    PARTNER_WEBHOOK_SET = "partner_webhook_set"
    PARTNER_SUSPENDED = "partner_suspended"
    PARTNER_RESUMED = "partner_resumed"
    PARTNER_REVOKED = "partner_revoked"
    PARTNER_DELETED = "partner_deleted"
    CLIENT_CREATED = "client_created"
    CLIENT_CHANGED = "client_changed"
    CLIENT_SUSPENDED = "client_suspended"
    CLIENT_RESUMED = "client_resumed"
    CLIENT_REVOKED = "client_revoked"
    CLIENT_DELETED = "client_deleted"
    CLIENT_KEYS_CHANGED = "client_keys_changed"
    CLIENT_UPGRADED = "client_upgraded"
    CHANGE_ANNOUNCED = "change_announced"
    CHANGE_STOPPED = "change_stopped"
    CHANGE_LAPSED = "change_lapsed"
    CLIENT_NETWORKS_CHANGED = "client_networks_changed"
    CLIENT_REGISTERED = "client_registered"
    REGISTRATION_ALLOWED = "registration_allowed"
    REGISTRATION_WITHDRAWN = "registration_withdrawn"
    REGISTRATION_READ = "registration_read"
    REGISTRATION_CHANGED = "registration_changed"
    REGISTRATION_RENEWED = "registration_renewed"
    REGISTRATION_ENDED = "registration_ended"
    LEAK_REPORTED = "leak_reported"
    CREDENTIAL_SEALED = "credential_sealed"
    EMERGENCY_ACCESS_GIVEN = "emergency_access_given"
    HANDOFF_LINK_MADE = "handoff_link_made"
    MESSAGE_DELIVERED = "message_delivered"
    MESSAGE_ACKNOWLEDGED = "message_acknowledged"
    CREDENTIAL_REPLACED = "credential_replaced"
    CREDENTIAL_FIRST_USED = "credential_first_used"
    CREDENTIAL_RETIRING = "credential_retiring"
    CREDENTIAL_RETIRED = "credential_retired"
    CREDENTIAL_REVOKED = "credential_revoked"
    TOKEN_ISSUED = "token_issued"  # noqa: S105  # the name of an event
    TOKEN_REFUSED = "token_refused"  # noqa: S105  # the name of an event
    TOKEN_REVOKED = "token_revoked"  # noqa: S105  # the name of an event
    BACKUP_STARTED = "backup_started"
    WEBHOOK_SECRET_MADE = "webhook_secret_made"  # noqa: S105  # the name of an event
    OPERATOR_ADDED = "operator_added"
    OPERATOR_KEY_CHANGED = "operator_key_changed"
    OPERATOR_SUSPENDED = "operator_suspended"
    OPERATOR_RESUMED = "operator_resumed"
    OPERATOR_REMOVED = "operator_removed"
    ACT_PROPOSED = "act_proposed"
    ACT_APPROVED = "act_approved"
    ACT_REJECTED = "act_rejected"
    CHAIN_STARTED = "chain_started"
    STORE_MOVED = "store_moved"
    NODE_INVITED = "node_invited"
    NODE_JOINED = "node_joined"
    KEY_ENCRYPTION_KEY_CHANGED = "key_encryption_key_changed"


Field = str | int | list[str] | None


@dataclass(frozen=True, slots=True)
class Actor:
    """Who acts, `operator:NAME` at the command line, `client:ID` or `server`; and why, where they said so."""

    name: str
    reason: str | None = None


Acting = Actor | str
"""A bare name is an actor who gives no reason."""


@dataclass(frozen=True, slots=True)
class AuditEvent:
    """`actor` is the name of who did it: as an Actor's, or `partner:ID`."""

    kind: Kind
    actor: str
    fields: Mapping[str, Field]


def write(event: AuditEvent) -> bytes:
    """Canonical JSON: one event, one sequence of bytes."""
    document = {**event.fields, "kind": str(event.kind), "actor": event.actor}
    assert len(document) == len(event.fields) + 2, "a field hides who did what"
    return msgspec.json.encode(document, order="sorted")


def read(payload: bytes) -> dict[str, object]:
    """The fields of a record, `kind` and `actor` among them. Raises ValueError when it is none of ours.

    Kinds are not checked: a newer program may have written them.
    """
    try:
        document = json.loads(payload.decode())
    except RecursionError as deep:
        raise ValueError("nested too deep") from deep
    if not isinstance(document, dict) or not isinstance(document.get("kind"), str):
        raise ValueError("not an audit record")
    return document
