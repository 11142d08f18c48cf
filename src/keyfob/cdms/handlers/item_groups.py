"""One item group of one subject: read, written as a whole, removed. Versions guard against lost changes."""

from collections.abc import Iterable

from keyfob.cdms import ingest
from keyfob.cdms.call import Answer, Call
from keyfob.cdms.handlers.designs import live_design
from keyfob.cdms.handlers.sight import ItemSight
from keyfob.cdms.odm.datatypes import is_text
from keyfob.cdms.odm.model import GroupData, ItemValue
from keyfob.cdms.problems import ApiProblem, not_found
from keyfob.cdms.storage.reading import Reading
from keyfob.cdms.storage.records import OPEN, StoredGroup, Study, Subject
from keyfob.oauth.wire import Response
from keyfob.serving import json_response

QUERY = frozenset({"erk", "frk", "igrk"})


def get_group(call: Call) -> Answer:
    with call.store.reading() as reading:
        study = call.study(reading)
        subject = _subject(call, reading, study)
        group = reading.find_group(subject.id, _place(call))
        if group is None or group.removed:
            raise not_found()
        sight = ItemSight(call, reading, study)
    shown = [item for item in group.data.items if sight.shows(subject, group.data.form, item.oid)]
    return _answer(200, group.version, shown)


def put_group(call: Call) -> Answer:
    items, reason = _read_body(call)
    with call.store.writing(actor=call.actor, now=call.now) as writing:
        study = call.study_to_change(writing)
        subject = _subject(call, writing.reading, study)
        _check_open(subject)
        design = live_design(writing.reading, study)
        existing = writing.reading.find_group(subject.id, _place(call))
        _check_precondition(call, existing)
        group = _data(call, items, reason)
        rights = ingest.Rights(call.sites(study.oid), lambda _site, _form: True, lambda _site: False)
        plan = ingest.plan_group(design, study, subject, group, existing, rights)
        if plan.found.errors:
            raise ApiProblem(
                422, plan.found.errors[0].code, "the item group was not stored", findings=plan.found.errors
            )
        ingest.carry_out(plan, writing, batch=None)
        stored = writing.reading.find_group(subject.id, _place(call))
    assert stored is not None
    return _answer(201 if existing is None or existing.removed else 200, stored.version, stored.data.items)


def delete_group(call: Call) -> Answer:
    """A soft removal: the values leave the reports and stay in the audit trail."""
    reason = call.header(b"keyfob-reason")
    if not reason:
        raise ApiProblem(422, "reason-required", "a removal needs a reason: send the header Keyfob-Reason")
    with call.store.writing(actor=call.actor, now=call.now) as writing:
        study = call.study_to_change(writing)
        subject = _subject(call, writing.reading, study)
        _check_open(subject)
        existing = writing.reading.find_group(subject.id, _place(call))
        if existing is None or existing.removed:
            raise not_found()
        _check_precondition(call, existing)
        data = _data(call, (), reason)
        removal = ingest.GroupWrite(subject, data, existing, (), removes=True)
        ingest.carry_out(ingest.Plan(study, study.live_version or "", groups=[removal]), writing, batch=None)
    return Response(204, (), b"")


def _subject(call: Call, reading: Reading, study: Study) -> Subject:
    subject = call.subject(reading, study)
    if not call.reaches(subject, form=call.params["form"]):
        raise not_found()
    return subject


def _check_open(subject: Subject) -> None:
    if subject.status not in OPEN:
        raise ApiProblem(409, "not-open", f"the subject is {subject.status}")


def _place(call: Call) -> tuple[str, str | None, str, str | None, str, str | None]:
    params, query = call.params, call.query
    return params["event"], query.get("erk"), params["form"], query.get("frk"), params["group"], query.get("igrk")


def _data(call: Call, items: tuple[ItemValue, ...], reason: str | None) -> GroupData:
    event, event_repeat, form, form_repeat, group, group_repeat = _place(call)
    return GroupData(event, event_repeat, form, form_repeat, group, group_repeat, None, items, reason=reason, where="")


def _check_precondition(call: Call, existing: StoredGroup | None) -> None:
    """RFC 9110 §13.1: `If-None-Match: *` creates, `If-Match` changes what was seen; neither is a lost change."""
    wanted, absent = call.header(b"if-match"), call.header(b"if-none-match")
    present = existing is not None and not existing.removed
    tag = f'"{existing.version}"' if existing is not None and present else None
    headers = {"etag": tag} if tag else {}
    if absent is not None:
        if absent != "*" or present:
            raise ApiProblem(412, "precondition-failed", "the item group is there already", headers=headers)
        return
    if wanted is None:
        need = "If-Match with its ETag, to change it" if present else "If-None-Match: *, to create it"
        raise ApiProblem(428, "precondition-required", f"send {need}", headers=headers)
    if wanted != tag:
        raise ApiProblem(412, "precondition-failed", "the item group was changed meanwhile", headers=headers)


def _read_body(call: Call) -> tuple[tuple[ItemValue, ...], str | None]:
    document = call.json()
    reason = document.get("reason")
    if not set(document) <= {"items", "reason"} or (reason is not None and not isinstance(reason, str)):
        raise ApiProblem(422, "unknown-member", "the body has items, and may have a reason")
    if reason is not None and not is_text(reason):
        raise ApiProblem(422, "bad-character", "the reason has a character that XML cannot carry")
    items = document.get("items")
    if not isinstance(items, list) or not items:
        raise ApiProblem(422, "no-items", "items must be an array of at least one")
    return tuple(_read_item(item, place) for place, item in enumerate(items)), (reason or "").strip() or None


def _read_item(item: object, place: int) -> ItemValue:
    where = f"/items/{place}"
    if not isinstance(item, dict) or not set(item) <= {"oid", "value", "unit", "null"}:
        raise ApiProblem(422, "bad-item", f"{where} has oid, value or null, and may have a unit")
    oid, value, unit = item.get("oid"), item.get("value"), item.get("unit")
    is_null = item.get("null", False)
    if not isinstance(oid, str) or not isinstance(is_null, bool):
        raise ApiProblem(422, "bad-item", f"{where} needs an oid")
    if value is not None and not isinstance(value, str):
        raise ApiProblem(422, "bad-item", f"{where}: a value is sent as text, so that 39.0 stays 39.0")
    if unit is not None and not isinstance(unit, str):
        raise ApiProblem(422, "bad-item", f"{where}: a unit is a text")
    return ItemValue(oid, value, unit, contradicts=is_null == (value is not None), where=where)


def _answer(status: int, version: int, items: Iterable[ItemValue]) -> Response:
    document = {"items": [_write_item(item) for item in items], "version": version}
    return json_response(status, document, headers=((b"etag", f'"{version}"'.encode()),))


def _write_item(item: ItemValue) -> dict[str, object]:
    document: dict[str, object] = {"oid": item.oid}
    if item.value is None:
        document["null"] = True
    else:
        document["value"] = item.value
    return document if item.unit is None else {**document, "unit": item.unit}
