"""How a partner is taken up: its certificate is usable, and its fingerprint was confirmed out of band."""

from dataclasses import replace

from keyfob import client_secret
from keyfob.ambient import Entropy
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp.certificate import Certificate
from keyfob.problem import Misuse, Problem
from keyfob.server.audit.events import Kind
from keyfob.server.lifecycle.names import check_email, check_name, near_miss
from keyfob.server.storage.change import Change
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import Confirmation, Partner, State

ID_BYTES = 16


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
                hint="a partner with a new key is a new partner: give it another name",
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


def renew(change: Change, partner: Partner, certificate: Certificate, *, email: str) -> Partner:
    """The partner with a newer form of its certificate: the same key, for example with a later expiry."""
    check_email(email)
    renewed = replace(partner, certificate=certificate.armored, email=email)
    change.renew_certificate(renewed)
    change.record(Kind.PARTNER_CERTIFICATE_RENEWED, partner_id=partner.id, fingerprint=partner.fingerprint, email=email)
    return renewed


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
