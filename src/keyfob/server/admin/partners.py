"""The operations on partners."""

from dataclasses import dataclass
from typing import Annotated, Literal
from urllib.parse import urlsplit

from msgspec import Meta

from keyfob.openpgp import certificate as certificates
from keyfob.openpgp.certificate import Certificate
from keyfob.problem import Misuse, Problem
from keyfob.server.admin import paging
from keyfob.server.admin.desk import Desk, Document
from keyfob.server.admin.operation import FINGERPRINTS, RIGHTS, File, Name, Needs, Operation, Page, Text
from keyfob.server.lifecycle import names, partners
from keyfob.server.lifecycle.states import Event
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import Confirmation, Partner

CertificateFile = Annotated[File, Meta(description="An OpenPGP certificate, armored.")]


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPartner:
    """`confirm_fingerprint`: as the partner gave it over another channel; a known partner's same key needs none."""

    name: Name
    certificate: CertificateFile
    email: Text
    confirm_fingerprint: Text | None = None
    confirmed_how: Literal["flag", "terminal"] = "flag"


@dataclass(frozen=True, slots=True, kw_only=True)
class Renewal:
    """`email` None: the one it has. Of a new key: `confirm_fingerprint` as the partner gave it over another channel, or
    `approve`, where the present key certifies it.
    """

    partner: Text
    certificate: CertificateFile
    email: Text | None = None
    confirm_fingerprint: Text | None = None
    confirmed_how: Literal["flag", "terminal"] = "flag"
    approve: bool = False


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


def _adds_key(desk: Desk, reading: Reading, asked: NewPartner) -> frozenset[Needs]:
    """The same key renewed confirms nothing."""
    names.check_name(asked.name, of="partner")
    names.check_email(asked.email)
    checked = certificates.check(asked.certificate.encode(), now=desk.clock())
    if asked.confirm_fingerprint is not None:
        partners.check_confirmed(checked, asked.confirm_fingerprint)
    return FINGERPRINTS if partners.find_same(reading, asked.name, checked) is None else frozenset()


def _renew(desk: Desk, asked: Renewal) -> Document:
    now = desk.clock()
    checked = certificates.check(asked.certificate.encode(), now=now)
    with desk.change() as change:
        known, how = _renewable(change.reading, asked, checked, now=now)
        email = known.email if asked.email is None else asked.email
        if how is not None:
            stored = partners.replace_key(change, known, checked, email=email, confirmed=how, now=now)
            outcome = "replaced"
        elif (known.certificate, known.email) == (checked.armored, email):
            stored, outcome = known, "unchanged"
        else:
            stored, outcome = partners.renew(change, known, checked, email=email, now=now), "renewed"
    return {"outcome": outcome, **document(stored), "certificate_expires_at": checked.expires_at}


def _replaces_key(desk: Desk, reading: Reading, asked: Renewal) -> frozenset[Needs]:
    now = desk.clock()
    _, how = _renewable(reading, asked, certificates.check(asked.certificate.encode(), now=now), now=now)
    return frozenset() if how is None else FINGERPRINTS


def _renewable(
    reading: Reading, asked: Renewal, certificate: Certificate, *, now: int
) -> tuple[Partner, Confirmation | None]:
    """The partner, and how its new key is confirmed: None where it is the same key. Raises Misuse or Problem."""
    if asked.approve and asked.confirm_fingerprint is not None:
        raise Misuse("confirmed-twice", "an approval and a fingerprint exclude each other", hint="give one")
    if asked.email is not None:
        names.check_email(asked.email)
    known = partners.get(reading, asked.partner)
    if any(one.fingerprint == certificate.fingerprint and one.id != known.id for one in reading.partners()):
        raise Misuse("certificate-known", "that certificate is another partner's", hint="see partner list")
    if asked.confirm_fingerprint is not None:
        partners.check_confirmed(certificate, asked.confirm_fingerprint)
    if certificate.fingerprint == known.fingerprint:
        return known, None
    if asked.approve:
        partners.check_certified(known, certificate, now=now)
        return known, Confirmation.CERTIFIED
    partners.check_confirmed(certificate, asked.confirm_fingerprint or "")
    return known, Confirmation(asked.confirmed_how)


def _suspend(desk: Desk, asked: OnePartner) -> Document:
    return _set_state(desk, asked, Event.SUSPEND)


def _resume(desk: Desk, asked: OnePartner) -> Document:
    return _set_state(desk, asked, Event.RESUME)


def _set_state(desk: Desk, asked: OnePartner, event: Event) -> Document:
    with desk.change() as change:
        # As of here, where nobody else writes: it may have taken long to get a turn, and tokens went out meanwhile.
        state = partners.set_state(change, asked.partner, event, now=desk.clock())
    return {"partner": asked.partner, "state": state.value}


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
        "certificate": found.certificate.decode("ascii"),
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
_SCOPE = "admin:partners"
LIST = Operation(
    "partner.list", "partner list", "GET", _ALL, "admin:read", Page, _list, "All partners", lists="partners"
)
SHOW = Operation("partner.show", "partner show", "GET", _ONE, "admin:read", OnePartner, _show, "One partner")
ADD = Operation(
    "partner.add", "partner add", "POST", _ALL, _SCOPE, NewPartner, _add,
    "Take up a partner, or renew its certificate", needs=FINGERPRINTS, second=_adds_key,
)  # fmt: skip
RENEW = Operation(
    "partner.renew", "partner renew", "POST", _ONE + "/renew", _SCOPE, Renewal, _renew,
    "Take up a partner's renewed certificate, or its new key", needs=FINGERPRINTS, second=_replaces_key,
)  # fmt: skip
SUSPEND = Operation(
    "partner.suspend", "partner suspend", "POST", _ONE + "/suspend", _SCOPE, OnePartner, _suspend,
    "Refuse all of a partner's clients",
)  # fmt: skip
RESUME = Operation(
    "partner.resume", "partner resume", "POST", _ONE + "/resume", _SCOPE, OnePartner, _resume,
    "Let a suspended partner go on", needs=RIGHTS,
)  # fmt: skip
OPERATIONS = (LIST, SHOW, ADD, RENEW, SUSPEND, RESUME)
