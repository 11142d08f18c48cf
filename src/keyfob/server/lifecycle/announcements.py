"""Other keys of a client that its partner asks for by itself: told to both sides first, and counting some days later.

Whoever stole a secret has no way here: it needs the signature of the partner's confirmed certificate. Whoever stole
that key, too, has to wait while both sides know, and either of them can stop it: the partner by a signature, the
operator by a command. The operator can let it count at once, with a reason that stands in the audit.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import replace

from keyfob.problem import Misuse, Problem
from keyfob.server.audit.events import Kind
from keyfob.server.lifecycle import clients, key_upgrades, rotation
from keyfob.server.lifecycle.names import near_miss
from keyfob.server.lifecycle.succession import has_secret
from keyfob.server.notices.notice import BOTH, Facts, Notice, NoticeKind
from keyfob.server.storage.change import Change
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import Announced, Announcement, Client, State


class NotAnnounced(Problem):
    """It was asked for by who may ask, and cannot be had. The text is for the partner."""


def announce(
    change: Change, client_id: str, *, named: str, jwks: str | None, jwks_uri: str | None, now: int, announced_for: int
) -> Announcement:
    """What waits from now on; the same request twice is one. `named`: what it is called, made of the request.

    The caller has verified the partner's signature. Raises NotAnnounced.
    """
    known = change.reading.find_announcement(named)
    if known is not None:
        return known
    view = clients.get(change.reading, client_id)
    if view.client.state is not State.ACTIVE or view.partner_state is not State.ACTIVE:
        raise NotAnnounced("not_active", "the client is not active")
    for other in waiting(change.reading, client_id=client_id):
        raise NotAnnounced("change_waits", f"other keys are announced already: stop {other.id} first")
    try:
        rotation.check_may_follow(view.credentials, client_id)
        _check_keys(view.client, jwks)
    except Misuse as refused:
        raise NotAnnounced("unusable_keys", refused.message) from refused
    made = Announcement(
        id=named,
        client_id=client_id,
        jwks=jwks,
        jwks_uri=jwks_uri,
        before=_digest(view.client),
        state=Announced.WAITING,
        announced_at=now,
        takes_effect_at=now + announced_for,
    )
    change.add_announcement(made)
    change.record(
        Kind.CHANGE_ANNOUNCED,
        announcement_id=made.id,
        client_id=client_id,
        thumbprints=clients.thumbprints(jwks),
        jwks_uri=jwks_uri,
        takes_effect_at=made.takes_effect_at,
    )
    _tell(change, NoticeKind.CLIENT_KEYS_ANNOUNCED, made, {"effective_at": made.takes_effect_at}, now)
    return made


def stop(change: Change, announcement_id: str, *, by: str, now: int) -> Announcement:
    """It will not come. `by`: the partner or the operator, for the notice. Raises Misuse or Problem."""
    found = _settled(change, announcement_id, Announced.STOPPED, now)
    change.record(Kind.CHANGE_STOPPED, announcement_id=found.id, client_id=found.client_id)
    _tell(change, NoticeKind.CHANGE_STOPPED, found, {"by": by}, now)
    return found


def take_effect(change: Change, announcement_id: str, *, overlap: int, now: int) -> Announcement:
    """The client has its other keys from now on; one that had a secret has it for the `overlap`, too.

    It lapses where the client has ended, or where its keys were changed since: what came later is not undone. Raises
    Misuse or Problem when it does not wait any more.
    """
    announced = get(change.reading, announcement_id)
    client = clients.get(change.reading, announced.client_id).client
    if client.state is State.REVOKED or _digest(client) != announced.before:
        found = _settled(change, announcement_id, Announced.LAPSED, now)
        change.record(Kind.CHANGE_LAPSED, announcement_id=found.id, client_id=found.client_id)
        _tell(change, NoticeKind.CHANGE_STOPPED, found, {"by": "a later change of the client"}, now)
        return found
    found = _settled(change, announcement_id, Announced.DONE, now)
    if has_secret(client) and found.jwks is not None:
        key_upgrades.carry_out(change, client.id, found.jwks, named=found.id, overlap=overlap, now=now)
    else:
        clients.set_keys(change, found.client_id, jwks=found.jwks, jwks_uri=found.jwks_uri, now=now)
    return found


def get(reading: Reading, announcement_id: str) -> Announcement:
    """Raises Misuse that names the nearest."""
    found = reading.find_announcement(announcement_id)
    if found is None:
        known = [one.id for one in reading.announcements()]
        raise Misuse(
            "unknown-announcement", "nothing is announced under that id", hint=near_miss(announcement_id, known)
        )
    return found


def waiting(reading: Reading, *, client_id: str | None = None) -> tuple[Announcement, ...]:
    """The oldest first."""
    return reading.announcements(client_id=client_id, waiting=True)


def due(announced: Sequence[Announcement], now: int) -> tuple[Announcement, ...]:
    """Whose time has come."""
    return tuple(one for one in announced if one.takes_effect_at <= now)


def _settled(change: Change, announcement_id: str, state: Announced, now: int) -> Announcement:
    found = get(change.reading, announcement_id)
    if not change.settle(announcement_id, state):
        raise Problem("not-waiting", f"{announcement_id} is {found.state}: nothing was changed")
    return replace(found, state=state, settled_at=now)


def _check_keys(client: Client, jwks: str | None) -> None:
    (key_upgrades if has_secret(client) else clients).check_keys(client, jwks)


def _digest(client: Client) -> str:
    return hashlib.sha256(json.dumps([client.jwks, client.jwks_uri]).encode()).hexdigest()


def _tell(change: Change, kind: NoticeKind, one: Announcement, more: Facts, now: int) -> None:
    client = replace(clients.get(change.reading, one.client_id).client, jwks=one.jwks, jwks_uri=one.jwks_uri)
    partner = change.reading.partner_of(client)
    facts = clients.key_facts(client, partner) | {"announcement_id": one.id} | dict(more)
    change.notify(*(Notice(kind, one.id, role, now, 0, partner.id, facts) for role in BOTH))
