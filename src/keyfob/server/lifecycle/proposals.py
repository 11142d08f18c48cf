"""An act that needs a second operator: who proposed it, until when it waits, and who may decide."""

from keyfob import client_secret
from keyfob.ambient import Entropy
from keyfob.problem import Misuse, Problem
from keyfob.server.audit.events import Kind
from keyfob.server.lifecycle.names import near_miss
from keyfob.server.storage.change import Change
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import Decision, Operator, Proposal

LIFETIME = 7 * 24 * 3600
_ID_BYTES = 16


def propose(
    change: Change, operation: str, asked: str, *, by: Operator, reason: str | None, now: int, entropy: Entropy
) -> Proposal:
    """What waits from now on. `asked`: JSON."""
    made = Proposal(
        id=client_secret.new_id("prp_", entropy(_ID_BYTES)),
        operation=operation,
        asked=asked,
        state=Decision.WAITING,
        proposed_by=by.id,
        reason=reason,
        created_at=now,
        expires_at=now + LIFETIME,
    )
    change.add_proposal(made)
    change.record(Kind.ACT_PROPOSED, proposal_id=made.id, operation=operation, expires_at=made.expires_at)
    return made


def get(reading: Reading, proposal_id: str) -> Proposal:
    """Raises Misuse that names the nearest."""
    found = reading.find_proposal(proposal_id)
    if found is None:
        known = [one.id for one in reading.proposals()]
        raise Misuse("unknown-proposal", "there is no proposal with that id", hint=near_miss(proposal_id, known))
    return found


def check_open(proposal: Proposal, *, now: int) -> None:
    """Raises Problem unless it still waits."""
    if proposal.state is not Decision.WAITING:
        raise Problem("proposal-decided", f"the proposal is {proposal.state} already", hint="nothing was done")
    if now >= proposal.expires_at:
        raise Problem("proposal-expired", "the proposal has waited too long", hint="propose it again")


def check_second(proposal: Proposal, by: Operator) -> None:
    """Raises Problem when the one who approves is the one who proposed."""
    if proposal.proposed_by == by.id:
        raise Problem("same-operator", f"{by.name} proposed it: another operator approves", hint="nothing was done")


def decide(change: Change, proposal_id: str, state: Decision, *, by: Operator, now: int) -> None:
    """The last word, inside the transaction that does what was proposed. Both names are recorded. Raises Problem."""
    proposal = get(change.reading, proposal_id)
    check_open(proposal, now=now)
    if state is Decision.APPROVED:
        check_second(proposal, by)
    if not change.decide(proposal.id, state, by=by.id):
        raise Problem("proposal-decided", "the proposal was decided meanwhile", hint="nothing was done")
    names = {one.id: one.name for one in change.reading.operators()}
    change.record(
        Kind.ACT_APPROVED if state is Decision.APPROVED else Kind.ACT_REJECTED,
        proposal_id=proposal.id,
        operation=proposal.operation,
        proposed_by=f"operator:{names[proposal.proposed_by]}",
    )
