"""A page of the audit trail as an ODM file of type Transactional, for programs that read audit trails so."""

import json
from collections.abc import Iterator, Sequence
from urllib.parse import quote, urlencode

from keyfob import ledger
from keyfob.cdms.call import Call
from keyfob.cdms.handlers import forms, validators
from keyfob.cdms.odm import audit_writing
from keyfob.cdms.odm.audit_writing import Record, User
from keyfob.cdms.odm.model import GroupData, ItemValue
from keyfob.cdms.odm.writing import Head
from keyfob.cdms.problems import ApiProblem
from keyfob.cdms.storage.reading import Reading
from keyfob.cdms.storage.records import Study, Subject
from keyfob.oauth.wire import Response

_Seen = Sequence[tuple[ledger.Entry, dict[str, object]]]
_TRANSACTIONS = {
    "register": "Insert", "change-subject": "Update", "insert": "Insert", "update": "Update", "remove": "Remove",
}  # fmt: skip


def answer(
    call: Call, reading: Reading, study: Study, seen: _Seen, subjects: dict[str, Subject], *, last: int
) -> Response:
    """The records of `seen` that are of subjects; `last` is the number of the last one that was looked at."""
    after = int(call.query.get("after", "0"))
    head = Head(study.oid, _version(reading, study), f"{study.oid}.audit.{after}-{last}", call.now)
    sites = {site.oid: site.name for site in reading.sites(study.oid)}
    effective = reading.live_since(study.oid, head.version_oid) or call.now
    records = _records(call, reading, study, head.version_oid, seen, subjects)
    body = audit_writing.write(head, records, sites=sites, effective_at=effective).encode()
    more = {
        "after": last,
        **{name: call.query[name] for name in ("limit", "subject_id", "place") if name in call.query},
    }
    url = f"{call.surroundings.settings.resource}/v1/studies/{quote(study.path_key, safe='')}/audit?{urlencode(more)}"
    # RFC 8288 §3: the header Link leads to the next page, as long as there is one.
    link = ((b"link", f'<{url}>; rel="next"'.encode()),) if last < study.seq else ()
    return Response(200, validators.tagged(call, reading, study, forms.ODM_1, *link), body)


def _version(reading: Reading, study: Study) -> str:
    """The live version, or of a study that has none yet any: ODM demands one."""
    versions = [oid for oid, _ in reading.versions(study.oid)]
    if study.live_version is None and not versions:
        raise ApiProblem(409, "not-open", "the study has no metadata version yet")
    return study.live_version or min(versions)


def _records(
    call: Call, reading: Reading, study: Study, version: str, seen: _Seen, subjects: dict[str, Subject]
) -> Iterator[Record]:
    reached = call.sites(study.oid)
    shown = {str(event.get("subject_id")) for _, event in seen} & set(subjects)
    sites = _Sites(reading, study, [subjects[one] for one in shown], after=seen[0][0].sequence if seen else 0)
    known: str | None = None
    for entry, event in seen:
        if event.get("action") == "live":
            known = str(event["version"])
        subject, transaction = subjects.get(str(event.get("subject_id"))), _TRANSACTIONS.get(str(event.get("action")))
        if subject is None or transaction is None:
            continue
        if known is None:
            known = reading.live_version(study.oid, at=entry.sequence) or version
        place, site = event.get("place"), sites.of(subject, at=entry.sequence)
        yield Record(
            seq=entry.sequence,
            at=entry.at,
            version_oid=known,
            user=User(_text(event, "client_id"), _text(event, "operator")),
            subject_key=subject.key,
            # Where it was before it came to a site of this client is not this client's to read.
            site=site if reached is None or site in reached else None,
            transaction=transaction,
            data=_data(place, event.get("new")) if isinstance(place, dict) else None,
            reason=_text(event, "reason"),
            comment=_status(event),
        )


class _Sites:
    """At which site a subject was when something was recorded."""

    def __init__(self, reading: Reading, study: Study, subjects: Sequence[Subject], *, after: int) -> None:
        # A subject of its first version was never anywhere else.
        changed = [subject.id for subject in subjects if subject.version > 1]
        self._left: dict[str, list[tuple[int, str | None]]] = {}
        for entry in reading.history(study.oid, after=after, subjects=changed) if changed else ():
            event = {} if entry.payload is None else json.loads(entry.payload)
            if event.get("action") == "change-subject" and "site" in event["old"]:
                self._left.setdefault(event["subject_id"], []).append((entry.sequence, event["old"]["site"]))

    def of(self, subject: Subject, *, at: int) -> str | None:
        """The one that it left next, or where it still is."""
        return next((site for left, site in self._left.get(subject.id, ()) if left > at), subject.site)


def _status(event: dict[str, object]) -> str | None:
    new = event.get("new")
    status = _text(new, "status") if isinstance(new, dict) else None
    return None if status is None else f"status: {status}"


def _data(place: dict[str, object], new: object) -> GroupData:
    value = new if isinstance(new, dict) else {}
    item = ItemValue(str(place["item"]), _text(value, "value"), _text(value, "unit"))
    return GroupData(
        event=str(place["event"]),
        event_repeat=_text(place, "event_repeat"),
        form=str(place["form"]),
        form_repeat=_text(place, "form_repeat"),
        group=str(place["item_group"]),
        group_repeat=_text(place, "item_group_repeat"),
        transaction=None,
        items=(item,),
    )


def _text(document: dict[str, object], name: str) -> str | None:
    value = document.get(name)
    return None if value is None else str(value)
