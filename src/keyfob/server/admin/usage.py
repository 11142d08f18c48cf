"""The operations on what is granted and what is used."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from keyfob.oauth import scope as scopes
from keyfob.server.admin.client_document import version
from keyfob.server.admin.clients import ClientId
from keyfob.server.admin.desk import Desk, Document
from keyfob.server.admin.operation import RIGHTS, Needs, Operation
from keyfob.server.lifecycle import clients, usage
from keyfob.server.lifecycle.usage import DAY, UNUSED_FOR, Advice, Held
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import Client

MAX_UNUSED_FOR = 400 * DAY
Seconds = Annotated[int, Meta(ge=1, le=MAX_UNUSED_FOR)]


@dataclass(frozen=True, slots=True, kw_only=True)
class Usage:
    """`unused_for`: how many seconds without use make a scope unused."""

    client_id: ClientId
    unused_for: Seconds = UNUSED_FOR


@dataclass(frozen=True, slots=True, kw_only=True)
class Narrow:
    """`dry_run`: say what would go, and change nothing. `undo`: give back what the last narrowing took."""

    client_id: ClientId
    unused_for: Seconds = UNUSED_FOR
    dry_run: bool = False
    undo: bool = False


def _show(desk: Desk, asked: Usage) -> Document:
    with desk.installation.store.reading() as reading:
        client = clients.get(reading, asked.client_id).client
        advice = usage.advise(reading, client, unused_for=asked.unused_for, now=desk.clock())
        narrowing = reading.find_narrowing(asked.client_id)
    undoable = narrowing is not None and narrowing.after == client.grants
    return {**_document(advice), "narrowed_at": narrowing.narrowed_at if narrowing and undoable else None}


def _narrow(desk: Desk, asked: Narrow) -> Document:
    if asked.undo:
        return _undo(desk, asked)
    with desk.change() as change:
        found = clients.get(change.reading, asked.client_id)
        desk.check_version(version(found))
        now = desk.clock()
        advice = usage.advise(change.reading, found.client, unused_for=asked.unused_for, now=now)
        after = usage.narrowed(found.client, advice)
        if not asked.dry_run:
            usage.narrow(change, found.client, advice, now=now)
    return _changed(found.client, after)


def _undo(desk: Desk, asked: Narrow) -> Document:
    with desk.change() as change:
        before, after = usage.restored(change.reading, asked.client_id)
        if not asked.dry_run:
            usage.undo(change, asked.client_id, now=desk.clock())
    return _changed(before, after)


def _needs_second(_desk: Desk, reading: Reading, asked: Narrow) -> frozenset[Needs]:
    """To narrow needs nobody else; to undo it gives back."""
    if not asked.undo or asked.dry_run:
        return frozenset()
    usage.restored(reading, asked.client_id)
    return RIGHTS


def _changed(before: Client, after: Client) -> Document:
    def listed(client: Client) -> list[Document]:
        return [{"resource": grant.resource, "scope": scopes.write(grant.scope)} for grant in client.grants]

    return {"client_id": before.id, "before": listed(before), "after": listed(after)}


def _document(advice: Advice) -> Document:
    return {
        "client_id": advice.client_id,
        "unused_for": advice.unused_for,
        "scopes": [_held(one) for one in advice.held],
        "windows": [
            {"resource": one.resource, "began_at": one.began_at, "until": one.until, "unseen_seconds": one.unseen}
            for one in advice.windows
        ],
        "blind_spots": list(usage.BLIND_SPOTS),
    }


def _held(held: Held) -> Document:
    return {
        "resource": held.resource,
        "scope": held.scope,
        "verdict": held.verdict.value,
        "why": held.why,
        "granted_at": held.granted_at or None,
        "count": held.count,
        "last_used_at": held.last_used_at,
        "routes": [{"method": use.method, "route": use.route, "count": use.count} for use in held.uses],
    }


_ONE = "/admin/v1/clients/{client_id}"
SHOW = Operation(
    "client.usage", "client usage", "GET", _ONE + "/usage", "admin:read", Usage, _show,
    "What a client holds, beside what it used",
)  # fmt: skip
NARROW = Operation(
    "client.narrow", "client narrow", "POST", _ONE + "/narrow", "admin:clients", Narrow, _narrow,
    "Narrow a client to what it used, or undo that", needs=RIGHTS,
    second=_needs_second, versioned=True,
)  # fmt: skip
OPERATIONS = (SHOW, NARROW)
