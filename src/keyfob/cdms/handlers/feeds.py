"""The audit trail and the change feed: the same records, once for the auditor and once for whoever follows the data."""

import json
from datetime import UTC, datetime

from keyfob import ledger
from keyfob.cdms import events, paging
from keyfob.cdms.call import Answer, Call
from keyfob.cdms.handlers import forms, odm_audit
from keyfob.cdms.handlers.sight import ItemSight
from keyfob.cdms.problems import ApiProblem, not_found
from keyfob.cdms.storage.reading import Reading
from keyfob.cdms.storage.records import Study
from keyfob.serving import json_response

CHANGES_QUERY = frozenset({"after", "limit", "epoch"})
AUDIT_QUERY = frozenset({"after", "limit", "subject_id", "place"})
_DATA_ACTIONS = frozenset({"insert", "update", "remove"})


def get_changes(call: Call) -> Answer:
    """What changed after a sequence number; a row that the client may not see still moves `next_after`."""
    with call.store.reading() as reading:
        study = call.study(reading)
        if call.query.get("epoch", reading.epoch()) != reading.epoch():
            raise ApiProblem(409, "other-epoch", "the data came back from a backup: begin again, with after=0")
        entries = _page(call, reading, study)
        sight = _Sight(call, reading, study)
        items = []
        for entry, event in entries:
            if event.get("action") in _DATA_ACTIONS and (seen := sight.of(event)):
                # Of a whole row: one change, with all that may be seen of it.
                value = _new_row(seen) if events.is_row(event) else _new_value(event)
                items.append(_head(entry, event) | {"place": event["place"], "value": value})
        return json_response(200, _document(reading, study, entries, items))


def get_audit(call: Call) -> Answer:
    """Who, when, why, old and new value, of every change; for the sites and forms that were granted.

    A row of a dataset is shown value by value, each under the number of the one record that it has.
    """
    kind = forms.accepted(call, forms.JSON, forms.ODM_1)
    with call.store.reading() as reading:
        study = call.study(reading)
        entries = _page(call, reading, study)
        sight, wanted = _Sight(call, reading, study), _place(call)
        seen = [(entry, one) for entry, event in entries for one in sight.of(event) if _is_at(one, wanted)]
        if kind == forms.ODM_1:
            last = entries[-1][0].sequence if entries else study.seq
            return odm_audit.answer(call, reading, study, seen, sight.subjects, last=last)
        items = [
            _head(entry, event) | {name: event[name] for name in _AUDIT_MEMBERS if name in event}
            for entry, event in seen
        ]
        return json_response(200, _document(reading, study, entries, items), headers=((b"vary", b"Accept"),))


_LEVELS = ("event", "form", "item_group", "item")


def _place(call: Call) -> tuple[str, ...]:
    """The place that is asked for, a JSON Pointer (RFC 6901 §3, §4) of OIDs from the event down; all without one."""
    text = call.query.get("place", "")
    first, *oids = text.split("/")
    if first or len(oids) > len(_LEVELS):
        raise ApiProblem(400, "bad-query", f"place is /{'/'.join(_LEVELS)}, of OIDs, or the first of them")
    return tuple(oid.replace("~1", "/").replace("~0", "~") for oid in oids)


def _is_at(event: events.Event, wanted: tuple[str, ...]) -> bool:
    """Whether it happened there or below, whichever repeats of it."""
    place = event.get("place")
    found = [place.get(level) for level in _LEVELS] if isinstance(place, dict) else []
    return tuple(found[: len(wanted)]) == wanted


_AUDIT_MEMBERS = (
    "place", "old", "new", "reason", "soft_checks", "batch", "client_id", "token_id", "operator", "site", "name",
    "status", "version", "sha256", "epoch", "redacted",
)  # fmt: skip


def _new_value(event: dict[str, object]) -> object:
    new = event.get("new")
    return new.get("value") if isinstance(new, dict) else None


def _new_row(seen: list[events.Event]) -> dict[str, object]:
    return {str(place["item"]): _new_value(one) for one in seen if isinstance(place := one["place"], dict)}


_Entries = list[tuple[ledger.Entry, dict[str, object]]]


def _page(call: Call, reading: Reading, study: Study) -> _Entries:
    after = paging.read_sequence(call.query.get("after"), high_water=study.seq)
    limit = paging.read_limit(call.query.get("limit"))
    subject_id = call.query.get("subject_id")
    if subject_id is not None:
        subject = reading.find_subject(study.oid, subject_id=subject_id)
        if subject is None or not call.reaches(subject):
            raise not_found()
    found = reading.audit(study.oid, after=after, limit=limit, subjects=None if subject_id is None else [subject_id])
    return [(entry, _event(entry)) for entry in found]


def _event(entry: ledger.Entry) -> dict[str, object]:
    """A redacted record keeps its number and says nothing."""
    if entry.payload is None:
        return {"action": "redacted"}
    event = json.loads(entry.payload)
    assert isinstance(event, dict)
    return event


def _head(entry: ledger.Entry, event: dict[str, object]) -> dict[str, object]:
    return {
        "seq": entry.sequence,
        "at": datetime.fromtimestamp(entry.at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "action": event["action"],
        "subject_id": event.get("subject_id"),
    }


def _document(reading: Reading, study: Study, entries: _Entries, items: list[dict[str, object]]) -> dict[str, object]:
    last = entries[-1][0].sequence if entries else study.seq
    return {"items": items, "next_after": last, "high_water": study.seq, "epoch": reading.epoch()}


class _Sight:
    """Which records a client may see: by the subject's site as it is now, by form, and by identifying items."""

    def __init__(self, call: Call, reading: Reading, study: Study) -> None:
        self._call = call
        self._sites = call.sites(study.oid)
        self.subjects = {one.id: one for one in reading.subjects(study.oid, sites=self._sites)}
        self._items = ItemSight(call, reading, study)

    def of(self, event: events.Event) -> list[events.Event]:
        """What may be seen of an event, value by value; nothing when it is hidden."""
        return [self._told(one) for one in events.by_value(event) if self._sees(one)]

    def _told(self, event: dict[str, object]) -> dict[str, object]:
        """The event without the names of sites that are not this client's: a subject may have come from one."""
        if self._sites is None or isinstance(event.get("place"), dict):
            return event
        return {name: self._of_sites(value) if name in ("old", "new") else value for name, value in event.items()}

    def _of_sites(self, state: object) -> object:
        if isinstance(state, dict) and self._sites is not None and state.get("site") not in self._sites:
            return {name: value for name, value in state.items() if name != "site"}
        return state

    def _sees(self, event: dict[str, object]) -> bool:
        subject_id, place = event.get("subject_id"), event.get("place")
        if subject_id is None:
            # Another site's name is not this client's to read, nor why something of whomever was redacted.
            is_anybodys = event.get("site") is None and event.get("action") != "redact"
            return self._sites is None or is_anybodys or event.get("site") in self._sites
        subject = self.subjects.get(str(subject_id))
        if subject is None:
            return False
        if not isinstance(place, dict):
            return self._call.reaches(subject)
        form = str(place.get("form"))
        return self._items.shows(subject, form, str(place.get("item"))) and self._call.reaches(subject, form=form)
