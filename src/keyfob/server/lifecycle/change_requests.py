"""What a partner asks for by its signature (see signed_texts), and never twice.

What is asked for is called by the text that was signed: the same text again is the same wish.
"""

import hashlib
from dataclasses import dataclass

from keyfob import change_request
from keyfob.change_request import ChangeRequest
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp.certificate import Certificate
from keyfob.problem import Problem
from keyfob.server.lifecycle import added_keys, announcements, clients, partners, signed_texts
from keyfob.server.lifecycle.announcements import NotAnnounced
from keyfob.server.lifecycle.signed_texts import NotBelieved
from keyfob.server.storage.change import Change
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import Partner, State


@dataclass(frozen=True, slots=True)
class Asked:
    """What a partner asked for; only `check` makes one. `name`: of the very text that was signed."""

    request: ChangeRequest
    partner: Partner
    name: str


def check(reading: Reading, signed: bytes, *, issuer: str, decoy: Certificate, now: int) -> Asked:
    """Raises NotBelieved. `decoy`: see signed_texts."""
    believed = signed_texts.check(reading, signed, change_request.read, issuer=issuer, decoy=decoy, now=now)
    if believed.partner.state is not State.ACTIVE:
        raise NotBelieved("no-such-client", "it names no client of an active partner")
    name = f"ann_{hashlib.sha256(believed.text).hexdigest()[:32]}"
    return Asked(believed.claim, believed.partner, name)


def carry_out(change: Change, asked: Asked, *, now: int, announced_for: int) -> dict[str, object]:
    """What came of it, for the partner. Raises NotAnnounced."""
    request = asked.request
    try:
        if request.stop is not None:
            _check_own(change.reading, request.stop, request.client_id)
            announcements.stop(change, request.stop, by="the partner", now=now)
            return {"announcement_id": request.stop, "state": "stopped"}
        if request.certificate is not None:
            return _renew(change, asked.partner, request.certificate, now=now)
        made = announcements.announce(
            change,
            request.client_id,
            named=asked.name,
            jwks=_read_keys(change.reading, request),
            jwks_uri=None if request.jwks_uri is None else clients.check_jwks_uri(request.jwks_uri),
            now=now,
            announced_for=announced_for,
        )
    except NotAnnounced:
        raise
    except Problem as refused:
        raise NotAnnounced(refused.code.replace("-", "_"), refused.message) from refused
    return {"announcement_id": made.id, "state": made.state.value, "takes_effect_at": made.takes_effect_at}


def _read_keys(reading: Reading, request: ChangeRequest) -> str | None:
    """All keys from then on, as a JWK set; None: the partner publishes them."""
    if request.jwks is not None:
        return clients.read_jwks(request.jwks.encode(), where="jwks")
    if request.jwks_uri is not None:
        return None
    client = clients.get(reading, request.client_id).client
    if request.add_keys is None:
        return added_keys.without_keys(client, request.remove_keys)
    more = clients.read_jwks(request.add_keys.encode(), where="add_keys")
    return clients.read_jwks(added_keys.with_keys(client, more).encode(), where="the keys with these")


def _renew(change: Change, partner: Partner, content: bytes, *, now: int) -> dict[str, object]:
    """The same key with a later expiry counts at once; another one is confirmed over another channel."""
    certificate = certificates.check(content, now=now)
    if certificate.fingerprint != partner.fingerprint:
        raise NotAnnounced("another_key", "another key is confirmed by its fingerprint: send it to the operator")
    if certificate.armored != partner.certificate:
        partners.renew(change, partner, certificate, email=partner.email, now=now)
    return {"fingerprint": certificate.fingerprint, "expires_at": certificate.expires_at, "state": "done"}


def _check_own(reading: Reading, announcement_id: str, client_id: str) -> None:
    """A partner stops what was announced for its own client, and learns of no other."""
    found = reading.find_announcement(announcement_id)
    if found is None or found.client_id != client_id:
        raise NotAnnounced("unknown_announcement", "nothing is announced for this client under that id")
