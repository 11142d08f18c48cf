"""The operations on proposals. What approving one performs stands in performing.py: it may be any operation."""

import json
from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from keyfob.server.admin import paging
from keyfob.server.admin.desk import Desk, Document
from keyfob.server.admin.operation import Operation, Page
from keyfob.server.lifecycle import proposals
from keyfob.server.storage.records import Decision, Proposal


@dataclass(frozen=True, slots=True, kw_only=True)
class OneProposal:
    proposal_id: Annotated[str, Meta(min_length=1, max_length=64)]


def _list(desk: Desk, asked: Page) -> Document:
    with desk.installation.store.reading() as reading:
        found = sorted(reading.proposals(), key=_place)
        names = {one.id: one.name for one in reading.operators()}
    listed, after = paging.page(found, limit=asked.limit, cursor=asked.cursor, key=_place)
    now = desk.clock()
    return {"proposals": [document(one, names, now=now) for one in listed], "next": after}


def _reject(desk: Desk, asked: OneProposal) -> Document:
    operator = desk.actor.person
    now = desk.clock()
    with desk.change() as change:
        proposals.decide(change, asked.proposal_id, Decision.REJECTED, by=operator, now=now)
        found = proposals.get(change.reading, asked.proposal_id)
        names = {one.id: one.name for one in change.reading.operators()}
    return document(found, names, now=now)


def document(one: Proposal, names: dict[str, str], *, now: int) -> Document:
    is_over = one.state is Decision.WAITING and now >= one.expires_at
    return {
        "proposal_id": one.id,
        "operation": one.operation,
        "asked": json.loads(one.asked),
        "state": "expired" if is_over else one.state.value,
        "proposed_by": names[one.proposed_by],
        "reason": one.reason,
        "created_at": one.created_at,
        "expires_at": one.expires_at,
        "decided_by": None if one.decided_by is None else names[one.decided_by],
        "decided_at": one.decided_at,
    }


def _place(one: Proposal) -> str:
    return f"{one.created_at:020} {one.id}"


_ALL, _ONE = "/admin/v1/proposals", "/admin/v1/proposals/{proposal_id}"
_SCOPE = "admin:approve"
LIST = Operation("proposal.list", "proposals", "GET", _ALL, "admin:read", Page, _list, "What waits", lists="proposals")
REJECT = Operation(
    "proposal.reject", "reject", "POST", _ONE + "/reject", _SCOPE, OneProposal, _reject,
    "Reject what another operator proposed, or withdraw what you did",
)  # fmt: skip
