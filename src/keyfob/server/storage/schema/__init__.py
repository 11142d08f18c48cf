"""The tables, for SQLite and PostgreSQL alike. Dates are BIGINT seconds since 1970 UTC; ids are text.

This is the newest form; `migrations/` has the way to it, and a test compares the two. Words in brackets are the
reason why a column could not come later.
"""

from keyfob.databases import Tables
from keyfob.server.storage.schema.base import metadata
from keyfob.server.storage.schema.rights import (
    client,
    client_grant,
    client_network,
    client_registration,
    client_resource,
    credential,
    handoff_link,
    installation,
    kept_message,
    operator,
    partner,
    registration_allowance,
    registration_token,
    resource,
    resource_scope,
    revocation,
    sealed_message,
    signing_key,
)
from keyfob.server.storage.schema.seen import (
    admin_answer,
    announced_change,
    audit_record,
    credential_observation,
    explanation,
    narrowing,
    notice,
    notice_delivery,
    presented_jti,
    proposal,
    refusal_count,
    scope_use,
    spending,
    usage_reporter,
)

TABLES = Tables(
    metadata,
    "keyfob.server.storage:migrations",
    # A successor comes after what it replaces.
    order={credential.name: (credential.c.client_id, credential.c.generation)},
)

__all__ = [
    "TABLES",
    "metadata",
    "installation",
    "partner",
    "resource",
    "resource_scope",
    "client",
    "client_resource",
    "client_grant",
    "credential",
    "credential_observation",
    "sealed_message",
    "kept_message",
    "handoff_link",
    "signing_key",
    "revocation",
    "presented_jti",
    "audit_record",
    "refusal_count",
    "explanation",
    "client_network",
    "operator",
    "proposal",
    "announced_change",
    "admin_answer",
    "notice",
    "notice_delivery",
    "spending",
    "registration_allowance",
    "client_registration",
    "registration_token",
    "scope_use",
    "usage_reporter",
    "narrowing",
]
