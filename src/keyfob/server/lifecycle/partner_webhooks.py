"""A webhook of a partner's own: where it is told besides by e-mail, and the secret that signs what goes there.

The secret is made here and reaches the partner sealed to its certificate, in this JSON:

    {"issuer", "message_id", "issued_at", "recipient_fingerprint", "webhook_url", "webhook_secret": "whsec_..."}
"""

import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from keyfob import client_secret
from keyfob.ambient import Entropy
from keyfob.envelope import format as envelope
from keyfob.openpgp import seal
from keyfob.problem import Misuse
from keyfob.secret import Secret
from keyfob.server import keys_at_rest
from keyfob.server.alarms import webhook
from keyfob.server.audit.events import Acting, Kind
from keyfob.server.installation import Installation
from keyfob.server.lifecycle import handoff, partners
from keyfob.server.lifecycle.handoff import Outlet
from keyfob.settings import https_url


@dataclass(frozen=True, slots=True)
class Target:
    """Where a partner's notices are posted to, and what signs them."""

    url: str
    key: Secret


def point(
    installation: Installation, name: str, url: str, *, outlet: Outlet, now: int, entropy: Entropy, actor: Acting
) -> tuple[str, bytes]:
    """The partner is told at `url` from now on; its secret, a new one each time, is in the sealed message.

    Returns what the message's file is called, and the message. Raises Misuse or Problem.
    """
    try:
        https_url(url)
    except ValueError as wrong:
        raise Misuse("bad-webhook", f"the webhook {wrong}", hint="for example https://partner.example/keyfob") from None
    with installation.store.reading() as reading:
        partner = partners.get(reading, name)
    recipient = partners.usable_certificate(partner, now=now)
    secret = webhook.new_secret(entropy(webhook.KEY_BYTES))
    message = {
        "issuer": installation.settings.issuer,
        "message_id": client_secret.new_id("msg_", entropy(partners.ID_BYTES)),
        "issued_at": now,
        "recipient_fingerprint": recipient.fingerprint,
        "webhook_url": url,
        "webhook_secret": secret.reveal(),
    }
    plaintext = Secret(json.dumps(message, indent=2).encode() + b"\n")
    armored = seal.seal(plaintext, recipient=recipient, operator_key=installation.operator_key())
    context = keys_at_rest.context_of_partner_webhook(installation.home, partner.id)
    kept = envelope.seal(secret, wrapper=installation.kek.wrapper, context=context, entropy=entropy)
    file_name = f"{partner.id}.webhook.asc"

    def counts() -> bool:
        with installation.store.reading() as reading:
            return any(one.id == partner.id and one.webhook_key == kept for one in reading.partners())

    with (
        handoff.in_file(outlet(file_name), armored, counts=counts),
        installation.store.change(now=now, actor=actor) as change,
    ):
        change.set_partner_webhook(partners.get(change.reading, name).id, url, kept)
        # Its host alone: whoever knows the whole of such a URL may often post to it.
        change.record(
            Kind.PARTNER_WEBHOOK_SET,
            partner_id=partner.id,
            host=urlsplit(url).hostname,
            recipient_fingerprint=recipient.fingerprint,
        )
    return file_name, armored


def remove(installation: Installation, name: str, *, now: int, actor: Acting) -> None:
    """It is told by e-mail alone. Raises Misuse."""
    with installation.store.change(now=now, actor=actor) as change:
        partner = partners.get(change.reading, name)
        change.set_partner_webhook(partner.id, None, None)
        change.record(Kind.PARTNER_WEBHOOK_SET, partner_id=partner.id, host=None)


def find(installation: Installation, partner_id: str) -> Target | None:
    """Raises Problem where the secret cannot be opened now."""
    with installation.store.reading() as reading:
        partner = next((one for one in reading.partners() if one.id == partner_id), None)
    if partner is None or partner.webhook is None or partner.webhook_key is None:
        return None
    context = keys_at_rest.context_of_partner_webhook(installation.home, partner_id)
    secret = envelope.open(partner.webhook_key, wrapper=installation.kek.wrapper, context=context)
    return Target(partner.webhook, webhook.read_key(secret))
