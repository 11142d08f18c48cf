"""One item group of one subject: read, written as a whole, removed. Versions guard against lost changes."""

from collections.abc import Iterable

from keyfob.cdms import ingest, preconditions
from keyfob.cdms.call import Answer, Call
from keyfob.cdms.handlers import bodies
from keyfob.cdms.handlers.designs import live_design
from keyfob.cdms.handlers.repeats import once
from keyfob.cdms.handlers.sight import ItemSight
from keyfob.cdms.odm.model import GroupData, ItemValue
from keyfob.cdms.problems import ApiProblem, not_found
from keyfob.cdms.storage.reading import Reading
from keyfob.cdms.storage.records import StoredGroup, Study, Subject
from keyfob.cdms.storage.writing import Writing
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
    return _answer(200, group.version, shown, whole=len(shown) == len(group.data.items))


def put_group(call: Call) -> Answer:
    items, reason = _read_body(call)
    with call.store.writing(actor=call.actor, now=call.now) as writing:
        study = call.study_to_change(writing)
        subject = _subject(call, writing.reading, study)

        def do() -> Response:
            return _put(call, writing, study, subject, _data(call, items, reason))

        return once(call, writing, call.header(b"idempotency-key"), do)


def _put(call: Call, writing: Writing, study: Study, subject: Subject, group: GroupData) -> Response:
    _check_open(subject)
    design = live_design(writing.reading, study)
    existing = writing.reading.find_group(subject.id, group.place)
    preconditions.check_change(call.headers, _tag(existing), what="the item group")
    rights = ingest.Rights(call.sites(study.oid), lambda _site, _form: True, lambda _site: False)
    # Who may not see what identifies a person does not say by silence that it is to go.
    unseen = _unseen(call, writing.reading, study, subject, group, existing)
    plan = ingest.plan_group(design, study, subject, group, existing, rights, unseen=unseen)
    if plan.found.errors:
        raise ApiProblem(422, plan.found.errors[0].code, "the item group was not stored", findings=plan.found.errors)
    ingest.carry_out(plan, writing, batch=None)
    if existing is None or existing.removed:
        return _answer(201, 1 if existing is None else existing.version + 1, group.items)
    stored = writing.reading.find_group(subject.id, group.place)
    assert stored is not None
    return _answer(200, stored.version, [item for item in stored.data.items if item.oid not in unseen])


def _unseen(
    call: Call, reading: Reading, study: Study, subject: Subject, group: GroupData, existing: StoredGroup | None
) -> frozenset[str]:
    """The items that are there, that `group` does not name, and that are not shown to this call."""
    named = {item.oid for item in group.items}
    present = {} if existing is None or existing.removed else existing.values
    if not (unnamed := present.keys() - named):
        return frozenset()
    sight = ItemSight(call, reading, study)
    return frozenset(oid for oid in unnamed if not sight.shows(subject, group.form, oid))


def delete_group(call: Call) -> Answer:
    """A soft removal: the values leave the reports and stay in the audit trail."""
    reason = call.reason()
    if reason is None:
        raise ApiProblem(422, "reason-required", "a removal needs a reason: send the header Keyfob-Reason")
    with call.store.writing(actor=call.actor, now=call.now) as writing:
        study = call.study_to_change(writing)
        subject = _subject(call, writing.reading, study)

        def do() -> Response:
            return _delete(call, writing, study, subject, _data(call, (), reason))

        return once(call, writing, call.header(b"idempotency-key"), do)


def _delete(call: Call, writing: Writing, study: Study, subject: Subject, group: GroupData) -> Response:
    existing = writing.reading.find_group(subject.id, group.place)
    if existing is None or existing.removed:
        raise not_found()
    _check_open(subject)
    preconditions.check_change(call.headers, _tag(existing), what="the item group")
    removal = ingest.GroupWrite(subject, group, existing, (), removes=True)
    ingest.carry_out(ingest.Plan(study, study.live_version or "", groups=[removal]), writing, batch=None)
    return Response(204, (), b"")


def _subject(call: Call, reading: Reading, study: Study) -> Subject:
    subject = call.subject(reading, study)
    if not call.reaches(subject, form=call.params["form"]):
        raise not_found()
    return subject


def _check_open(subject: Subject) -> None:
    if subject.closed is not None:
        raise ApiProblem(409, "not-open", subject.closed)


def _place(call: Call) -> tuple[str, str | None, str, str | None, str, str | None]:
    params, query = call.params, call.query
    return params["event"], query.get("erk"), params["form"], query.get("frk"), params["group"], query.get("igrk")


def _data(call: Call, items: tuple[ItemValue, ...], reason: str | None) -> GroupData:
    event, event_repeat, form, form_repeat, group, group_repeat = _place(call)
    return GroupData(event, event_repeat, form, form_repeat, group, group_repeat, None, items, reason=reason, where="")


def _tag(existing: StoredGroup | None) -> str | None:
    return None if existing is None or existing.removed else f'"{existing.version}"'


def _read_body(call: Call) -> tuple[tuple[ItemValue, ...], str | None]:
    document = bodies.known(call.json(), {"items", "reason"})
    reason = bodies.find_reason(document)
    items = document.get("items")
    if not isinstance(items, list) or not items:
        raise ApiProblem(422, "no-items", "items must be an array of at least one")
    return tuple(_read_item(item, place) for place, item in enumerate(items)), reason


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


def _answer(status: int, version: int, items: Iterable[ItemValue], *, whole: bool = True) -> Response:
    document = {"items": [_write_item(item) for item in items], "version": version}
    tag = f'"{version}"' if whole else preconditions.in_part(f'"{version}"')
    return json_response(status, document, headers=((b"etag", tag.encode()),))


def _write_item(item: ItemValue) -> dict[str, object]:
    document: dict[str, object] = {"oid": item.oid}
    if item.value is None:
        document["null"] = True
    else:
        document["value"] = item.value
    return document if item.unit is None else {**document, "unit": item.unit}
