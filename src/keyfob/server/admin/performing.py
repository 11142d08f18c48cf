"""Performing an operation: who may, whether it needs a second operator, and what a repeated request comes to.

The same on the home and for the admin API: both call `perform`.
"""

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from keyfob.problem import Misuse, Problem
from keyfob.server.admin import proposals as proposal_operations
from keyfob.server.admin.desk import Desk, Document
from keyfob.server.admin.operation import Needs, Operation
from keyfob.server.admin.proposals import OneProposal
from keyfob.server.lifecycle import operators, proposals
from keyfob.server.storage.change import Change
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import Decision

_KEY_LIFETIME = 24 * 3600


@dataclass(frozen=True, slots=True)
class Performed:
    """`waits`: nothing was done yet, a second operator has to approve it."""

    document: Document
    waits: bool = False


def perform(desk: Desk, operation: Operation[Any], asked: object, *, key: str | None = None) -> Performed:
    """What `operation` comes to. `key`: a name for this act, under which it is done once. Raises Misuse or Problem."""
    if desk.actor.operator is not None:
        operators.check_may(desk.actor.operator, operation.scope)
    if key is None or not operation.acts:
        return _perform(desk.acting(), operation, asked)
    return _perform_once(desk, operation, asked, key)


def approver(find: Callable[[str], Operation[Any]]) -> Callable[[Desk, OneProposal], Document]:
    """What performs a proposal, `find` giving its operation: the decision and the act are one transaction."""

    def approve(desk: Desk, asked: OneProposal) -> Document:
        with desk.installation.store.reading() as reading:
            proposal = proposals.get(reading, asked.proposal_id)
        operator, now = desk.actor.person, desk.clock()
        proposals.check_open(proposal, now=now)
        proposals.check_second(proposal, operator)
        operation = find(proposal.operation)
        operators.check_may(operator, operation.scope)
        is_decided = False

        def decide(change: Change) -> None:
            nonlocal is_decided
            proposals.decide(change, proposal.id, Decision.APPROVED, by=operator, now=now)
            is_decided = True

        document = operation.perform(desk.acting(decide), operation.read(json.loads(proposal.asked)))
        if not is_decided:  # all of it was so already
            with desk.change() as change:
                decide(change)
        return {"proposal_id": proposal.id, "operation": operation.name, "result": document}

    return approve


def _perform(desk: Desk, operation: Operation[Any], asked: object) -> Performed:
    wanted = operation.needs & frozenset(map(Needs, desk.installation.settings.second_operator_for))
    if not wanted:
        return Performed(operation.perform(desk, asked))

    def needed(reading: Reading) -> bool:
        return bool(wanted if operation.second is None else wanted & set(operation.second(desk, reading, asked)))

    def check(change: Change) -> None:
        if needed(change.reading):
            raise Problem("changed-meanwhile", "this needs a second operator since a moment ago", hint="try again")

    with desk.installation.store.reading() as reading:
        waits = needed(reading)
    if not waits:
        # Asked again inside the transaction: what raised nothing may do so after somebody else's change.
        return Performed(operation.perform(desk.acting(check), asked))
    operator = desk.actor.person
    said = json.dumps(operation.write(asked), ensure_ascii=False)
    with desk.change() as change:
        made = proposals.propose(
            change,
            operation.name,
            said,
            by=operator,
            reason=desk.actor.reason,
            now=desk.clock(),
            entropy=desk.entropy,
        )
        names = {one.id: one.name for one in change.reading.operators()}
    return Performed(proposal_operations.document(made, names, now=desk.clock()), waits=True)


def _perform_once(desk: Desk, operation: Operation[Any], asked: object, key: str) -> Performed:
    """A repeated request is answered as the first one was; what the act wrote and its key are one transaction."""
    operator, store = desk.actor.person, desk.installation.store
    now = desk.clock()
    said = json.dumps([operation.name, operation.write(asked)], sort_keys=True)
    digest = hashlib.sha256(said.encode()).hexdigest()
    kept = False

    def keep(change: Change) -> None:
        nonlocal kept
        if change.reading.find_answer(operator.id, key, now=now) is not None:
            raise Problem("in-progress", "the same request is being answered", hint="ask again in a moment")
        change.keep_key(operator.id, key, digest, expires_at=now + _KEY_LIFETIME)
        kept = True

    with store.reading() as reading:
        found = reading.find_answer(operator.id, key, now=now)
    if found is not None and found.digest != digest:
        raise Misuse("key-reused", "this Idempotency-Key was another request's", hint="take a new one for each act")
    if found is not None and found.document is None:
        raise Problem("answer-lost", "this was done, but its answer was not kept", hint="look at what there is now")
    if found is not None and found.document is not None:
        return Performed(dict(found.document["document"]), bool(found.document["waits"]))  # type: ignore[call-overload]
    done = _perform(desk.acting(keep), operation, asked)
    if kept and not _has_link(done.document):
        store.keep_answer(operator.id, key, json.dumps({"document": done.document, "waits": done.waits}))
    return done


def _has_link(document: Document) -> bool:
    """The token in a link is kept nowhere (see `links`): such an answer is given once."""
    result = document.get("result")
    return "link" in document or (isinstance(result, dict) and "link" in result)
