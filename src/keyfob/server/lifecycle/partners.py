"""How a partner is taken up: its certificate is usable, and its fingerprint was confirmed out of band."""

import hashlib
from dataclasses import replace

from keyfob import client_secret
from keyfob.ambient import Entropy
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp import certification
from keyfob.openpgp.certificate import Certificate, CertificateProblem
from keyfob.problem import Misuse, Problem
from keyfob.server.audit.events import Kind
from keyfob.server.lifecycle import revocations
from keyfob.server.lifecycle.names import check_email, check_name, near_miss
from keyfob.server.lifecycle.states import Event, after
from keyfob.server.notices.notice import BOTH, Facts, Notice, NoticeKind
from keyfob.server.storage.change import Change
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import Confirmation, Partner, State

ID_BYTES = 16

_KINDS = {Event.SUSPEND: Kind.PARTNER_SUSPENDED, Event.RESUME: Kind.PARTNER_RESUMED}


def check_confirmed(certificate: Certificate, typed: str) -> None:
    """Raises Misuse unless `typed` is the certificate's fingerprint; spaces and case do not matter."""
    if "".join(typed.split()).upper() != certificate.fingerprint:
        raise Misuse(
            "fingerprint-mismatch",
            "the fingerprint that was confirmed is not the certificate's: nothing was stored",
            hint="ask the partner again, over a channel that the certificate did not come by",
        )


def find_same(reading: Reading, name: str, certificate: Certificate) -> Partner | None:
    """The partner of that name when the certificate is the same key, renewed: it needs no new confirmation.

    None when the partner is new. Raises Misuse when the name or the certificate belongs to somebody else.
    """
    for partner in reading.partners():
        if partner.name == name and partner.fingerprint == certificate.fingerprint:
            return partner
        if partner.name == name:
            raise Misuse(
                "partner-exists",
                f"there is a partner {name!r} with another certificate",
                hint=f"to seal to another key from now on: keyfob-server partner renew {name!r} --certificate FILE.asc",
            )
        if partner.fingerprint == certificate.fingerprint:
            raise Misuse(
                "certificate-known", f"that certificate is the partner {partner.name!r}'s", hint="name that one"
            )
    return None


def add(
    change: Change,
    name: str,
    certificate: Certificate,
    *,
    email: str,
    confirmed: Confirmation,
    now: int,
    entropy: Entropy,
) -> Partner:
    """A new partner. The caller has compared the fingerprint (check_confirmed)."""
    check_name(name, of="partner")
    check_email(email)
    if find_same(change.reading, name, certificate) is not None:
        raise Misuse("partner-exists", f"there is a partner {name!r} already", hint="see partner list")
    partner = Partner(
        id=client_secret.new_id("ptr_", entropy(ID_BYTES)),
        name=name,
        email=email,
        state=State.ACTIVE,
        certificate=certificate.armored,
        fingerprint=certificate.fingerprint,
        fingerprint_confirmed_at=now,
        fingerprint_confirmed_how=confirmed,
        created_at=now,
    )
    change.add_partner(partner)
    change.record(
        Kind.PARTNER_ADDED,
        partner_id=partner.id,
        name=name,
        email=email,
        fingerprint=partner.fingerprint,
        confirmed_how=confirmed.value,
    )
    return partner


def renew(change: Change, partner: Partner, certificate: Certificate, *, email: str, now: int) -> Partner:
    """The partner with a newer form of its certificate: the same key, for example with a later expiry.

    Raises Misuse for an older one, which somebody may have kept from before a subkey was revoked.
    """
    check_email(email)
    _check_not_revoked(partner)
    if certificates.signed_at(certificate.armored) < certificates.signed_at(partner.certificate):
        raise Misuse(
            "certificate-older",
            "a newer form of this certificate is known: nothing was stored",
            hint=f"ask for a fresh export: gpg --armor --output FILE.asc --export {partner.fingerprint}",
        )
    renewed = replace(partner, certificate=certificate.armored, email=email)
    change.put_certificate(renewed)
    change.record(Kind.PARTNER_CERTIFICATE_RENEWED, partner_id=partner.id, fingerprint=partner.fingerprint, email=email)
    if partner.certificate != renewed.certificate:
        _tell(change, NoticeKind.CERTIFICATE_RENEWED, renewed, {"expires_at": certificate.expires_at}, now)
    _tell_contacts(change, partner, renewed, now)
    return renewed


def _check_not_revoked(partner: Partner) -> None:
    if partner.state is State.REVOKED:
        raise Problem(
            "partner-revoked",
            f"the partner {partner.name} is revoked, for good",
            hint=f"to take it up anew, first: keyfob-server partner delete {partner.name!r}",
        )


def set_state(change: Change, name: str, event: Event, *, now: int) -> State:
    """Suspend or resume. Its clients keep their own states; the tokens of those at work end. Raises Misuse or Problem.

    To revoke is more: see `endings`.
    """
    partner = get(change.reading, name)
    state = after(partner.state, event)
    change.set_partner_state(partner.id, state)
    for client in change.reading.clients(partner_id=partner.id):
        if client.state is not State.ACTIVE:
            continue
        if event is Event.RESUME:
            revocations.allow_again(change, client.id, now=now)
        else:
            revocations.of_client(change, client.id, now=now)
    change.record(_KINDS[event], partner_id=partner.id, name=partner.name)
    return state


def check_certified(partner: Partner, certificate: Certificate, *, now: int) -> None:
    """Raises Problem unless the partner's present key is alive and certifies the new one."""
    try:
        former = certificates.read_signer(partner.certificate, now=now)
    except CertificateProblem as refused:
        raise Problem(
            refused.code,
            f"the present certificate vouches for nothing: {refused.message}",
            hint="confirm the new fingerprint by another channel: --confirm-fingerprint FPR",
        ) from refused
    if not certification.certifies(former, certificate, now=now):
        raise Problem(
            "not-certified",
            f"the present key {certificates.show_fingerprint(former.fingerprint)} does not certify the new one",
            hint=f"let the partner sign it (gpg --local-user {former.fingerprint} --quick-sign-key "
            f"{certificate.fingerprint}) and export it again, or use --confirm-fingerprint FPR",
        )


def replace_key(
    change: Change, partner: Partner, certificate: Certificate, *, email: str, confirmed: Confirmation, now: int
) -> Partner:
    """The partner with another key, to which its secrets are sealed from now on. The caller has compared or approved.

    What was sealed to the former one stays sealed to it.
    """
    check_email(email)
    _check_not_revoked(partner)
    changed = replace(
        partner,
        certificate=certificate.armored,
        email=email,
        fingerprint=certificate.fingerprint,
        fingerprint_confirmed_at=now,
        fingerprint_confirmed_how=confirmed,
    )
    change.put_certificate(changed)
    change.record(
        Kind.PARTNER_CERTIFICATE_REPLACED,
        partner_id=partner.id,
        fingerprint=certificate.fingerprint,
        former=partner.fingerprint,
        email=email,
        confirmed_how=confirmed.value,
    )
    facts = {"former": partner.fingerprint, "confirmed": _CONFIRMED[confirmed]}
    _tell(change, NoticeKind.CERTIFICATE_REPLACED, changed, facts, now)
    _tell_contacts(change, partner, changed, now)
    return changed


_CONFIRMED = {
    Confirmation.FLAG: "its fingerprint was compared over another channel",
    Confirmation.TERMINAL: "its fingerprint was compared over another channel",
    Confirmation.CERTIFIED: "the former key certifies it, and the operator approved that",
}


def _tell(change: Change, kind: NoticeKind, partner: Partner, facts: Facts, now: int) -> None:
    known = {"partner": partner.name, "fingerprint": partner.fingerprint}
    digest = hashlib.sha256(partner.certificate).hexdigest()[:16]
    for role in BOTH:
        subject = f"{partner.id} {digest} {now}"
        change.notify(Notice(kind, subject, role, now, 0, partner.id, {**known, **facts}))


def _tell_contacts(change: Change, former: Partner, partner: Partner, now: int) -> None:
    """A new address is told to the former one, too: whoever holds it would otherwise never hear of it."""
    if former.email == partner.email:
        return
    facts = {"partner": partner.name, "email": partner.email, "to": former.email}
    for role in BOTH:
        change.notify(
            Notice(NoticeKind.CONTACT_CHANGED, f"{partner.id} {former.email} {now}", role, now, 0, partner.id, facts)
        )


def get(reading: Reading, name: str) -> Partner:
    """The partner called `name`, or with that id. Raises Misuse that names the nearest."""
    partner = reading.find_partner(name) or next((one for one in reading.partners() if one.id == name), None)
    if partner is None:
        known = [other.name for other in reading.partners()]
        raise Misuse("unknown-partner", f"there is no partner {name!r}", hint=near_miss(name, known))
    return partner


def usable_certificate(partner: Partner, *, now: int) -> Certificate:
    """The certificate to seal to. Raises Problem when it has expired since it was confirmed, saying what mends it."""
    try:
        return certificates.check(partner.certificate, now=now)
    except Problem as refused:
        raise Problem(
            refused.code,
            f"nothing can be sealed to {partner.name}: {refused.message}",
            hint=f"{refused.hint}; then: keyfob-server partner add {partner.name!r} --certificate FILE.asc "
            f"--email {partner.email} (the same key needs no new confirmation)",
        ) from refused
