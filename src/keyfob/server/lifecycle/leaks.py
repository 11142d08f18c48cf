"""A secret that was found where it does not belong is withdrawn by whoever presents it.

To hold it is all that it takes: who holds it could do worse with it. Nobody else can, since a report that is not the
secret does nothing, and is answered alike. What had ended already is only told.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from keyfob import client_secret
from keyfob.secret import Secret
from keyfob.server.audit.events import Kind
from keyfob.server.installation import Installation
from keyfob.server.lifecycle import endings
from keyfob.server.lifecycle.states import USABLE, effective
from keyfob.server.notices.notice import BOTH, Notice, NoticeKind
from keyfob.server.secret_hash import Pepper, matches
from keyfob.server.storage.change import Change
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import ClientView, Credential


class Outcome(StrEnum):
    """What became of one report; the wire tells none of it."""

    NOT_OURS = "not ours"
    ENDED_BEFORE = "ended before"
    WITHDRAWN = "withdrawn"
    LAST_WITHDRAWN = "last withdrawn"


@dataclass(frozen=True, slots=True)
class Report:
    """`where` it was found, as its finder says; None when they do not. `address`: the finder's."""

    secret: Secret
    where: str | None
    address: str


@dataclass(frozen=True, slots=True)
class Reported:
    """`client_id` None: no secret of ours."""

    outcome: Outcome
    client_id: str | None = None


def handle(installation: Installation, report: Report, *, now: int) -> Reported:
    """Blocking. Only what works takes a turn to write: strangers' guesses wait for no lock."""
    with installation.store.reading() as reading:
        found = find(reading, report.secret, installation.peppers)
    if found is None:
        return Reported(Outcome.NOT_OURS)
    client_id = found[0].client.id
    if effective(found[1], now) not in USABLE:
        # Not for the audit: whoever holds an old secret could fill it.
        return Reported(Outcome.ENDED_BEFORE, client_id)
    with installation.store.change(now=now, actor="finder") as change:
        # Again, where nobody else writes: of two reports at once, one withdraws.
        again = find(change.reading, report.secret, installation.peppers)
        if again is None or effective(again[1], now) not in USABLE:
            return Reported(Outcome.ENDED_BEFORE, client_id)
        return _withdraw(change, *again, report, now=now)


def find(reading: Reading, secret: Secret, peppers: Sequence[Pepper]) -> tuple[ClientView, Credential] | None:
    """Whose secret it is. One look-up and one MAC, also for one that is nobody's."""
    named = client_secret.credential_id(secret) or ""
    client_id, stored = reading.find_secret_hash(named) or (None, None)
    if not matches(secret, stored, peppers) or client_id is None:
        return None
    view = reading.find_client(client_id)
    credential = None if view is None else view.credential(named)
    return None if view is None or credential is None else (view, credential)


def _withdraw(change: Change, view: ClientView, credential: Credential, report: Report, *, now: int) -> Reported:
    client = view.client
    others = endings.revoke_credential(change, client.id, credential.id, now=now)
    outcome = Outcome.WITHDRAWN if others else Outcome.LAST_WITHDRAWN
    change.record(
        Kind.LEAK_REPORTED,
        client_id=client.id,
        credential_id=credential.id,
        was=effective(credential, now).value,
        outcome=outcome.value,
        where=report.where,
        address=report.address,
    )
    partner = change.reading.partner_of(client)
    facts = {
        "partner": partner.name,
        "client_id": client.id,
        "client_name": client.name,
        "credential_id": credential.id,
        "where": report.where or "not said",
        "left": "another one works" if others else "none: it gets no more tokens",
    }
    change.notify(*(Notice(NoticeKind.SECRET_LEAKED, credential.id, one, now, 0, partner.id, facts) for one in BOTH))
    return Reported(outcome, client.id)
