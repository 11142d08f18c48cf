"""A partner's receipt for a sealed message: believed by its signature alone, and only of this very message.

In this order; nothing is believed before 3:
    1 it is one text signed in clear; the client that it names is UNVERIFIED and serves only to find the certificate
    2 its date is of now, and its issuer is this one
    3 the confirmed certificate of the client's partner, usable today, has signed it, and nobody else
    4 message, credential, client and digest are those of one message that was sealed to that certificate
Whoever is refused learns nothing of which it was.
"""

from collections.abc import Callable
from dataclasses import dataclass

from keyfob import acknowledgement
from keyfob.acknowledgement import Acknowledgement, MalformedAcknowledgement
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp import clearsigned
from keyfob.openpgp.certificate import Certificate
from keyfob.problem import Problem
from keyfob.server.audit.events import Kind
from keyfob.server.storage.change import Change
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import SealedMessage

MAX_AGE, LEEWAY = 600, 60
"""Seconds since its date, and how far a clock may be ahead."""


class NotAcknowledged(Problem):
    """It is not believed. The text is for the operator's log, not for whoever sent it."""


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What was signed for; only `check` makes one."""

    client_id: str
    message: SealedMessage


def check(reading: Reading, signed: bytes, *, issuer: str, decoy: Certificate, now: int) -> Acknowledged:
    """Raises NotAcknowledged. `decoy` is checked against where there is no such client: the time tells nothing."""
    claimed = _read(clearsigned.read_unverified, signed)
    if claimed.issuer != issuer or not now - MAX_AGE <= claimed.acknowledged_at <= now + LEEWAY:
        raise NotAcknowledged("wrong-time-or-issuer", "its date or issuer is another")
    view = reading.find_client(claimed.client_id)
    certificate = decoy
    if view is not None:
        try:
            certificate = certificates.read_signer(reading.partner_of(view.client).certificate, now=now)
        except Problem as refused:
            raise NotAcknowledged("certificate", "the partner's certificate is not usable now") from refused
    verified = _read(lambda text: clearsigned.verify(text, signer=certificate), signed)
    credential = None if view is None else view.credential(verified.credential_id)
    message = None if credential is None else reading.find_message(verified.credential_id)
    if (
        verified != claimed
        or message is None
        or verified.message_id != message.id
        or verified.digest != message.digest
        or certificate.fingerprint != message.recipient_fingerprint
    ):
        raise NotAcknowledged("no-such-message", "it names no message that was sealed to this certificate")
    return Acknowledged(verified.client_id, message)


def record(change: Change, done: Acknowledged, *, address: str) -> bool:
    """Note it; whether it was the first time. Another is no change."""
    message = done.message
    if not change.observe_acknowledgement(message.credential_id, address=address):
        return False
    change.record(
        Kind.MESSAGE_ACKNOWLEDGED,
        client_id=done.client_id,
        credential_id=message.credential_id,
        message_id=message.id,
        fingerprint=message.recipient_fingerprint,
        digest=message.digest,
        address=address,
    )
    return True


def _read(text_of: Callable[[bytes], bytes], signed: bytes) -> Acknowledgement:
    try:
        return acknowledgement.read(text_of(signed))
    except (Problem, MalformedAcknowledgement) as refused:
        raise NotAcknowledged("not-believed", str(refused)) from refused
