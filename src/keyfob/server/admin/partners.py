"""The operations on partners."""

from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from keyfob.openpgp import certificate as certificates
from keyfob.problem import Problem
from keyfob.server.admin import paging
from keyfob.server.admin.desk import Desk, Document
from keyfob.server.admin.operation import File, Name, Needs, Operation, Page, Text
from keyfob.server.lifecycle import names, partners
from keyfob.server.storage.records import Confirmation, Partner


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPartner:
    """`confirm_fingerprint`: as the partner gave it over another channel; a known partner's same key needs none."""

    name: Name
    certificate: Annotated[File, Meta(description="An OpenPGP certificate, armored.")]
    email: Text
    confirm_fingerprint: Text | None = None
    confirmed_how: Literal["flag", "terminal"] = "flag"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnePartner:
    """By its name, or by its id."""

    partner: Text


def _add(desk: Desk, asked: NewPartner) -> Document:
    now = desk.clock()
    checked = certificates.check(asked.certificate.encode(), now=now)
    names.check_email(asked.email)
    with desk.change() as change:
        same = partners.find_same(change.reading, asked.name, checked)
        if asked.confirm_fingerprint is not None:
            partners.check_confirmed(checked, asked.confirm_fingerprint)
        if same is not None and (same.certificate, same.email) == (checked.armored, asked.email):
            return {"outcome": "unchanged", **document(same)}
        if same is not None:
            return {"outcome": "renewed", **document(partners.renew(change, same, checked, email=asked.email, now=now))}
        partners.check_confirmed(checked, asked.confirm_fingerprint or "")
        how = Confirmation(asked.confirmed_how)
        added = partners.add(
            change, asked.name, checked, email=asked.email, confirmed=how, now=now, entropy=desk.entropy
        )
    return {"outcome": "added", **document(added)}


def _is_new(desk: Desk, asked: NewPartner) -> bool:
    """The same key renewed confirms nothing. Raises what `_add` would, before somebody else is asked."""
    names.check_name(asked.name, of="partner")
    names.check_email(asked.email)
    checked = certificates.check(asked.certificate.encode(), now=desk.clock())
    if asked.confirm_fingerprint is not None:
        partners.check_confirmed(checked, asked.confirm_fingerprint)
    with desk.installation.store.reading() as reading:
        return partners.find_same(reading, asked.name, checked) is None


def _list(desk: Desk, asked: Page) -> Document:
    with desk.installation.store.reading() as reading:
        found = sorted(reading.partners(), key=lambda one: one.name)
    listed, after = paging.page(found, limit=asked.limit, cursor=asked.cursor, key=lambda one: one.name)
    return {"partners": [document(one) for one in listed], "next": after}


def _show(desk: Desk, asked: OnePartner) -> Document:
    now = desk.clock()
    with desk.installation.store.reading() as reading:
        found = partners.get(reading, asked.partner)
        clients = reading.clients(partner_id=found.id)
    expires_at, trouble = _usability(found, now)
    return {
        **document(found),
        "certificate_expires_at": expires_at,
        "certificate_problem": trouble,
        "clients": [{"client_id": one.id, "name": one.name, "state": one.state.value} for one in clients],
    }


def _usability(partner: Partner, now: int) -> tuple[int | None, str | None]:
    try:
        return partners.usable_certificate(partner, now=now).expires_at, None
    except Problem as refused:
        return None, refused.message


def document(partner: Partner) -> Document:
    return {
        "partner_id": partner.id,
        "name": partner.name,
        "email": partner.email,
        "state": partner.state.value,
        "fingerprint": partner.fingerprint,
        "fingerprint_confirmed_at": partner.fingerprint_confirmed_at,
        "fingerprint_confirmed_how": partner.fingerprint_confirmed_how.value,
        "webhook": None if partner.webhook is None else urlsplit(partner.webhook).hostname,
        "created_at": partner.created_at,
    }


_ALL, _ONE = "/admin/v1/partners", "/admin/v1/partners/{partner}"
LIST = Operation(
    "partner.list", "partner list", "GET", _ALL, "admin:read", Page, _list, "All partners", lists="partners"
)
SHOW = Operation("partner.show", "partner show", "GET", _ONE, "admin:read", OnePartner, _show, "One partner")
ADD = Operation(
    "partner.add", "partner add", "POST", _ALL, "admin:partners", NewPartner, _add,
    "Take up a partner, or renew its certificate", needs=Needs.FINGERPRINTS, second=_is_new,
)  # fmt: skip
OPERATIONS = (LIST, SHOW, ADD)
