"""The operation that says what needs attention."""

from keyfob import tls
from keyfob.problem import Problem
from keyfob.server import attention
from keyfob.server.admin import announcements, notices
from keyfob.server.admin.desk import Desk, Document
from keyfob.server.admin.operation import Nothing, Operation
from keyfob.server.installation import Installation
from keyfob.server.lifecycle import signing_keys
from keyfob.server.lifecycle.announcements import waiting
from keyfob.server.lifecycle.rotation import DAY
from keyfob.server.notices.calendar import read_certified
from keyfob.server.notices.due import Certified
from keyfob.server.storage.records import Purpose
from keyfob.server.storage.standing import Standing

_TLS_AHEAD = 14 * DAY
NEEDS = (
    "expiring_credentials",
    "expiring_certificates",
    "unopened_messages",
    "old_secrets_in_use",
    "announced_changes",
    "keys_due",
    "undelivered_notices",
)
"""The lists, each of what needs attention; the audit's findings are one more."""


def _status(desk: Desk, _asked: Nothing) -> Document:
    now, store = desk.clock(), desk.installation.store
    with store.reading() as reading:
        standings, certified = reading.standings(), read_certified(reading)
        announced = waiting(reading)
    unsettled, unrouted, glance = store.outbox.unsettled(), store.outbox.unrouted(), store.audit_glance()
    books = attention.read(standings, certified, unsettled, announced, now)
    found: Document = {
        "issuer": desk.installation.settings.issuer,
        "at": now,
        "expiring_credentials": [_credential(one) for one in books.expiring_credentials],
        "expiring_certificates": [_certificate(each) for each in books.expiring_certificates],
        "unopened_messages": [_credential(one) for one in books.unopened_messages],
        "old_secrets_in_use": [_credential(one) for one in books.old_secrets_in_use],
        "announced_changes": [announcements.document(one) for one in books.announced_changes],
        "keys_due": _keys_due(desk.installation, now),
        "undelivered_notices": [notices.document(one) for one in books.undelivered_notices],
        "notices_waiting": unrouted + sum(one.reason is None for one in unsettled),
        "audit": {"whole": not glance.findings, "records": glance.count, "findings": list(glance.findings)},
    }
    return {"needs_attention": bool(glance.findings) or any(found[name] for name in NEEDS), **found}


def _keys_due(installation: Installation, now: int) -> list[str]:
    """In words, each with what mends it."""
    settings = installation.settings
    period = settings.signing_key_days * DAY
    found = [
        f"the signing key for {purpose.value} is due: a running server makes its successor (keyfob-server serve)"
        for purpose in Purpose
        if signing_keys.is_due(installation.store.signing_keys(purpose), now, period=period)
    ]
    if not settings.is_plain:
        try:
            doubt = tls.find_doubt(settings.tls_certificate, url=settings.issuer, now=now + _TLS_AHEAD)
        except Problem as failed:
            doubt = failed.message
        found += [f"as of {_TLS_AHEAD // DAY} days from now: {doubt}"] if doubt else []
    return found


def _credential(one: Standing) -> Document:
    credential = one.credential
    return {
        "partner": one.partner,
        "client_id": credential.client_id,
        "name": one.client_name,
        "credential_id": credential.id,
        "expires_at": credential.expires_at,
        "sealed_at": credential.sealed_at,
        "first_use_by": credential.first_use_by,
        "overlap_ends_at": credential.overlap_ends_at,
        "last_used_at": credential.last_used_at,
        "last_used_from": credential.last_used_from,
    }


def _certificate(each: Certified) -> Document:
    return {"partner": each.partner, "fingerprint": each.fingerprint, "expires_at": each.expires_at}


STATUS = Operation(
    "status", "status", "GET", "/admin/v1/status", "admin:read", Nothing, _status, "What needs attention"
)
OPERATIONS = (STATUS,)
