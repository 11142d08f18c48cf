"""A partner's receipt for a sealed message: believed by its signature alone, and only of this very message.

What it says must be so of one message that was sealed to the certificate which signed it: message, credential, client
and digest. Whoever is refused learns nothing of which it was.
"""

from dataclasses import dataclass

from keyfob import acknowledgement
from keyfob.openpgp.certificate import Certificate
from keyfob.server.audit.events import Kind
from keyfob.server.lifecycle import signed_texts
from keyfob.server.lifecycle.signed_texts import NotBelieved
from keyfob.server.storage.change import Change
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import SealedMessage


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """What was signed for; only `check` makes one."""

    client_id: str
    message: SealedMessage


def check(reading: Reading, signed: bytes, *, issuer: str, decoy: Certificate, now: int) -> Acknowledged:
    """Raises NotBelieved. `decoy`: see signed_texts."""
    believed = signed_texts.check(reading, signed, acknowledgement.read, issuer=issuer, decoy=decoy, now=now)
    said = believed.claim
    message = None if believed.view.credential(said.credential_id) is None else reading.find_message(said.credential_id)
    if (
        message is None
        or said.message_id != message.id
        or said.digest != message.digest
        or believed.certificate.fingerprint != message.recipient_fingerprint
    ):
        raise NotBelieved("no-such-message", "it names no message that was sealed to this certificate")
    return Acknowledged(said.client_id, message)


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
