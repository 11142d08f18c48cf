"""The operations on a partner's own webhook. The secret that signs leaves sealed to the partner, and never else."""

from dataclasses import dataclass

from keyfob.server.admin import messages
from keyfob.server.admin.desk import Desk, Document
from keyfob.server.admin.operation import Operation, Text
from keyfob.server.admin.partners import OnePartner
from keyfob.server.lifecycle import partner_webhooks


@dataclass(frozen=True, slots=True, kw_only=True)
class Webhook:
    partner: Text
    url: Text


def _point(desk: Desk, asked: Webhook) -> Document:
    name, armored = partner_webhooks.point(
        desk.installation,
        asked.partner,
        asked.url,
        outlet=desk.outlet,
        now=desk.clock(),
        entropy=desk.entropy,
        actor=desk.actor.in_audit,
    )
    return {"partner": asked.partner, **messages.members(desk, name, armored)}


def _remove(desk: Desk, asked: OnePartner) -> Document:
    partner_webhooks.remove(desk.installation, asked.partner, now=desk.clock(), actor=desk.actor.in_audit)
    return {"partner": asked.partner}


_ONE = "/admin/v1/partners/{partner}/webhook"
_SCOPE = "admin:partners"
POINT = Operation(
    "partner.webhook", "partner webhook", "PUT", _ONE, _SCOPE, Webhook, _point,
    "Tell a partner at a webhook of its own, too, its secret sealed to it",
)  # fmt: skip
REMOVE = Operation(
    "partner.webhook_off", "partner webhook", "POST", _ONE + "/remove", _SCOPE, OnePartner, _remove,
    "Tell a partner by e-mail alone again",
)  # fmt: skip
OPERATIONS = (POINT, REMOVE)
