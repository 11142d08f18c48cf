"""A link to a sealed message: who has it gets the ciphertext, and nothing else. It is no right and opens nothing.

A page by GET, the message by POST, so that what looks at links before people do uses none of them up. Of the token the
database has only the hash, and no log has any of it.
"""

import base64
import hashlib
import re
from dataclasses import dataclass

from keyfob.ambient import Entropy
from keyfob.server.audit.events import Kind
from keyfob.server.lifecycle import rotation, states
from keyfob.server.storage.change import Change
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import HandoffLink, SealedMessage

PATH = "/handoff/"
FETCHES = 5
LIFETIME = rotation.UNOPENED_LIFETIME
_TOKEN_BYTES = 32
_TOKEN = re.compile(r"[A-Za-z0-9_-]{43}")


@dataclass(frozen=True, slots=True)
class Offered:
    """What a living link leads to."""

    link: HandoffLink
    client_id: str
    message: SealedMessage


def make(change: Change, credential_id: str, *, client_id: str, issuer: str, now: int, entropy: Entropy) -> str:
    """A new link to the credential's kept message: its URL, which is shown once and kept nowhere."""
    token = base64.urlsafe_b64encode(entropy(_TOKEN_BYTES)).rstrip(b"=").decode()
    change.add_link(HandoffLink(_hash(token), credential_id, now + LIFETIME, FETCHES))
    change.record(Kind.HANDOFF_LINK_MADE, client_id=client_id, credential_id=credential_id, expires_at=now + LIFETIME)
    return f"{issuer}{PATH}{token}"


def find(reading: Reading, token: str, *, now: int) -> Offered | None:
    """What the link leads to; None for one that never was, is too old, is used up, or whose secret has ended."""
    link = reading.find_link(_hash(token)) if _TOKEN.fullmatch(token) else None
    if link is None or link.expires_at <= now or link.fetches_left <= 0:
        return None
    message = reading.find_message(link.credential_id)
    client_id = reading.client_id_of(link.credential_id)
    view = reading.find_client(client_id)
    credential = None if view is None else view.credential(link.credential_id)
    if message is None or view is None or credential is None:
        return None
    is_alive = states.is_usable(credential, view.client, view.partner_state, now)
    return Offered(link, client_id, message) if is_alive else None


def fetch(change: Change, token: str, *, address: str, now: int) -> tuple[Offered, bytes] | None:
    """The ciphertext, and one fetch less; None as in `find`."""
    offered = find(change.reading, token, now=now)
    armored = None if offered is None else change.reading.find_kept(offered.link.credential_id, now=now)
    if offered is None or armored is None or not change.use_link(offered.link.token_hash):
        return None
    deliver(change, offered.client_id, offered.message, address=address, how="link")
    return offered, armored


def deliver(change: Change, client_id: str, message: SealedMessage, *, address: str, how: str) -> None:
    """Note that a ciphertext was handed over, and to which address."""
    change.observe_delivery(message.credential_id, address=address)
    change.record(
        Kind.MESSAGE_DELIVERED,
        client_id=client_id,
        credential_id=message.credential_id,
        message_id=message.id,
        digest=message.digest,
        address=address,
        how=how,
    )


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
