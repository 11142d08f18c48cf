"""The operations on changes that partners asked for, and that do not count yet."""

from dataclasses import dataclass
from typing import Annotated

from msgspec import Meta

from keyfob.problem import Misuse
from keyfob.server.admin import paging
from keyfob.server.admin.desk import Desk, Document
from keyfob.server.admin.operation import RIGHTS, Needs, Operation, Page
from keyfob.server.lifecycle import announcements, clients
from keyfob.server.storage.reading import Reading
from keyfob.server.storage.records import Announcement


@dataclass(frozen=True, slots=True, kw_only=True)
class OneAnnouncement:
    announcement_id: Annotated[str, Meta(min_length=1, max_length=64)]


def _list(desk: Desk, asked: Page) -> Document:
    with desk.installation.store.reading() as reading:
        found = reading.announcements()
    listed, after = paging.page(found, limit=asked.limit, cursor=asked.cursor, key=_place)
    return {"announcements": [document(one) for one in listed], "next": after}


def _stop(desk: Desk, asked: OneAnnouncement) -> Document:
    with desk.change() as change:
        return document(announcements.stop(change, asked.announcement_id, by="the operator", now=desk.clock()))


def _hasten(desk: Desk, asked: OneAnnouncement) -> Document:
    _check_reason(desk)
    with desk.change() as change:
        overlap = desk.installation.settings.credentials.overlap
        done = announcements.take_effect(change, asked.announcement_id, overlap=overlap, now=desk.clock())
        return document(done)


def _needs_second(desk: Desk, reading: Reading, asked: OneAnnouncement) -> frozenset[Needs]:
    _check_reason(desk)
    announcements.get(reading, asked.announcement_id)
    return RIGHTS


def _check_reason(desk: Desk) -> None:
    # What both sides were told of is cut short: whoever reads the audit must find why.
    if desk.actor.reason is None:
        raise Misuse("reason-missing", "both sides were told of a later date", hint="say why: --reason TEXT")


def document(one: Announcement) -> Document:
    return {
        "announcement_id": one.id,
        "client_id": one.client_id,
        "state": one.state.value,
        "thumbprints": clients.thumbprints(one.jwks),
        "jwks_uri": one.jwks_uri,
        "announced_at": one.announced_at,
        "takes_effect_at": one.takes_effect_at,
        "settled_at": one.settled_at,
    }


def _place(one: Announcement) -> str:
    return f"{one.announced_at:020} {one.id}"


_ALL, _ONE = "/admin/v1/announcements", "/admin/v1/announcements/{announcement_id}"
_SCOPE = "admin:clients"
LIST = Operation(
    "announcement.list", "announcement list", "GET", _ALL, "admin:read", Page, _list,
    "What partners asked for, and when it counts", lists="announcements",
)  # fmt: skip
STOP = Operation(
    "announcement.stop", "announcement stop", "POST", _ONE + "/stop", _SCOPE, OneAnnouncement, _stop,
    "Stop what was announced",
)  # fmt: skip
HASTEN = Operation(
    "announcement.hasten", "announcement hasten", "POST", _ONE + "/hasten", _SCOPE, OneAnnouncement, _hasten,
    "Let what was announced count now, with a reason", needs=RIGHTS, second=_needs_second,
)  # fmt: skip
OPERATIONS = (LIST, STOP, HASTEN)
