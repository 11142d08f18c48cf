"""Something of ours that was found where it does not belong is withdrawn by whoever presents it.

To hold it is all that it takes: who holds it could do worse with it. Nobody else can, since a report that is not the
thing itself does nothing, and is answered alike. What had ended already is only told.
"""

from dataclasses import dataclass
from enum import StrEnum

from keyfob.secret import Secret
from keyfob.server.audit.events import Kind
from keyfob.server.installation import Installation
from keyfob.server.lifecycle.leaked import Found, Looking, find
from keyfob.server.notices.notice import BOTH, Notice, Role
from keyfob.server.storage.change import Change
from keyfob.server.storage.reading import Reading


class Outcome(StrEnum):
    """What became of one report; the wire tells a stranger none of it."""

    NOT_OURS = "not ours"
    ENDED_BEFORE = "ended before"
    WITHDRAWN = "withdrawn"
    LAST_WITHDRAWN = "last withdrawn"


class Finder(StrEnum):
    """Who presents it, as the audit names them: anybody, the scanner whose signature held, or we ourselves."""

    ANYBODY = "finder"
    SCANNER = "scanner"
    SERVER = "server"


@dataclass(frozen=True, slots=True)
class Report:
    """`where` it was found, as its finder says; None when they do not. `address`: the finder's."""

    secret: Secret
    where: str | None
    address: str
    by: Finder = Finder.ANYBODY


@dataclass(frozen=True, slots=True)
class Reported:
    """`owner` None: nothing of ours. `is_dark`: its client has no secret left that will do, and could use another."""

    outcome: Outcome
    owner: str | None = None
    client_id: str | None = None
    credential_id: str | None = None
    is_dark: bool = False


def handle(installation: Installation, report: Report, *, now: int) -> Reported:
    """Blocking. Only what works takes a turn to write: strangers' guesses wait for no lock."""
    with installation.store.reading() as reading:
        found = _find(installation, reading, report, now)
    if found is None:
        return Reported(Outcome.NOT_OURS)
    if not found.is_alive:
        # Not for the audit: whoever holds an old secret could fill it.
        return Reported(Outcome.ENDED_BEFORE, found.owner, found.client_id)
    with installation.store.change(now=now, actor=report.by.value) as change:
        # Again, where nobody else writes: of two reports at once, one withdraws.
        again = _find(installation, change.reading, report, now)
        if again is None or not again.is_alive:
            return Reported(Outcome.ENDED_BEFORE, found.owner, found.client_id)
        return _withdraw(change, again, report, now=now)


def _find(installation: Installation, reading: Reading, report: Report, now: int) -> Found | None:
    return find(Looking(reading, installation.settings.issuer, installation.peppers, now), report.secret)


def _withdraw(change: Change, found: Found, report: Report, *, now: int) -> Reported:
    ended = found.end(change)
    outcome = Outcome.WITHDRAWN if ended.others else Outcome.LAST_WITHDRAWN
    change.record(
        Kind.LEAK_REPORTED,
        what=found.what.value,
        outcome=outcome.value,
        where=report.where,
        address=report.address,
        **found.named,
    )
    facts = dict(found.facts) | {
        "where": report.where or "not said",
        "left": "another one works" if ended.others else "none: it gets no more tokens",
    }
    if found.partner is not None:
        facts["partner"] = found.partner.name
    roles = BOTH if found.partner is not None else (Role.OPERATOR,)
    partner_id = None if found.partner is None else found.partner.id
    change.notify(*(Notice(found.notice, found.id, one, now, 0, partner_id, facts) for one in roles))
    return Reported(outcome, found.owner, found.client_id, found.id, ended.is_dark)
