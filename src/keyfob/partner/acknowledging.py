"""The partner's receipt for a sealed message, signed by its certificate and sent to the issuer.

Useful to the operator, who sees that the message was opened, and by whom; never in the way of a credential that is
stored already.
"""

import json
from typing import Protocol

from keyfob import acknowledgement
from keyfob.acknowledgement import Acknowledgement
from keyfob.partner import safe_url
from keyfob.partner.steps import Request, Transport
from keyfob.partner.vault.entries import Entry
from keyfob.problem import Problem

_MAX_SHOWN = 300


class Signer(Protocol):
    """What signs with the private key that opens messages here."""

    def clearsign(self, text: bytes, *, fingerprint: str) -> bytes: ...


def acknowledge(entry: Entry, message: bytes, *, signer: Signer, transport: Transport, now: int) -> None:
    """Tell the issuer of `entry` that `message` was opened. Raises Problem: then it was not told."""
    one = Acknowledgement(
        issuer=entry.issuer,
        client_id=entry.client_id,
        credential_id=entry.credential_id,
        message_id=entry.message_id,
        digest=acknowledgement.digest_of(message),
        acknowledged_at=now,
    )
    signed = signer.clearsign(acknowledgement.write(one), fingerprint=entry.recipient_fingerprint)
    url = safe_url.check(entry.issuer) + acknowledgement.PATH
    response = transport.send(Request("POST", url, (("content-type", "text/plain"),), signed))
    if response.status != 200:
        raise Problem("not-acknowledged", f"the issuer did not take it (HTTP {response.status}{_said(response.body)})")


def _said(body: bytes) -> str:
    try:
        found = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    said = found.get("error_description") if isinstance(found, dict) else None
    text = "".join(character if character.isprintable() else " " for character in str(said or "")[:_MAX_SHOWN])
    return f": {text}" if text else ""
