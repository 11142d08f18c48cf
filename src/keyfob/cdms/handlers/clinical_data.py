"""Clinical data in and out as ODM 1.3.2: a file is stored whole or not at all, a study leaves as a stream."""

import hashlib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace

from keyfob import client_secret
from keyfob.cdms import ingest, problems
from keyfob.cdms.call import Answer, Call, Stream, fingerprint
from keyfob.cdms.handlers.bodies import read_odm
from keyfob.cdms.handlers.designs import design_of, live_design
from keyfob.cdms.handlers.repeats import once
from keyfob.cdms.handlers.sight import ItemSight
from keyfob.cdms.ingest import Plan, Rights
from keyfob.cdms.odm import writing as odm_writing
from keyfob.cdms.odm.model import ClinicalData, Design, GroupData, OdmFile, SubjectData
from keyfob.cdms.problems import ApiProblem
from keyfob.cdms.storage.reading import Reading
from keyfob.cdms.storage.records import Study, Subject
from keyfob.cdms.storage.writing import Writing
from keyfob.oauth.wire import Response
from keyfob.serving import json_response

_HEADERS = ((b"content-type", b"application/xml; odm=1.3.2"),)
_SUBJECTS_AT_ONCE = 100
QUERY = frozenset({"dry_run"})


class _DryRun(Exception):
    """Ends a transaction that only looked."""

    def __init__(self, response: Response) -> None:
        super().__init__()
        self.response = response


def post_clinical_data(call: Call) -> Answer:
    """The receipt of a file. Everything in it is stored in one transaction, or nothing is."""
    file = read_odm(call)
    dry_run = _flag(call, "dry_run")
    try:
        with call.store.writing(actor=call.actor, now=call.now) as writing:
            study = call.study_to_change(writing)
            clinical = _of_study(file, study)

            def do() -> Response:
                return _store(call, writing, study, file, clinical)

            if dry_run:
                raise _DryRun(_store(call, writing, study, file, clinical, dry_run=True))
            asked = fingerprint(b"odm", study.oid.encode(), call.body)
            # Without a key the file is its own, FileOID and all: the same bytes are the same batch.
            return once(call, writing, call.header(b"idempotency-key") or f"odm:{asked}", asked, do)
    except _DryRun as looked:
        return looked.response


def _store(
    call: Call, writing: Writing, study: Study, file: OdmFile, clinical: ClinicalData, *, dry_run: bool = False
) -> Response:
    design = design_of(writing.reading, study.oid, clinical.version_oid)
    if study.live_version != design.version_oid:
        raise ApiProblem(409, "not-open", "this metadata version is not the live one")
    plan = ingest.make_plan(
        writing.reading, study, design, clinical, _rights(call, study), entropy=call.surroundings.entropy
    )
    if plan.found.errors:
        raise ApiProblem(422, plan.found.errors[0].code, "nothing was stored", findings=plan.found.errors)
    batch = None if dry_run else client_secret.new_id("bat_", call.surroundings.entropy(16))
    receipt = write_receipt(file, plan, batch)
    if batch is not None:
        digest = hashlib.sha256(call.body).hexdigest()
        writing.keep_batch(batch, study.oid, file_oid=file.file_oid, sha256=digest, body=call.body, receipt=receipt)
        ingest.carry_out(plan, writing, batch=batch)
    return json_response(200, receipt)


def write_receipt(file: OdmFile, plan: Plan, batch: str | None) -> dict[str, object]:
    warnings = [*file.warnings, *plan.found.warnings]
    return {
        "batch": batch,
        "stored": plan.stored,
        "unchanged": plan.unchanged,
        "refused": 0,
        "subjects_registered": len(plan.subjects),
        "warnings": [problems.write_finding(one) for one in warnings[: problems.MAX_SHOWN]],
        "warnings_total": len(warnings),
        "errors": [],
    }


def get_clinical_data(call: Call) -> Answer:
    """All that the client may see of the study, from one snapshot, streamed."""
    with ExitStack() as stack:
        reading = stack.enter_context(call.store.reading())
        study = call.study(reading)
        design = live_design(reading, study)
        subjects = [one for one in reading.subjects(study.oid, sites=call.sites(study.oid)) if call.reaches(one)]
        keep = stack.pop_all()
    return Stream(200, _HEADERS, _export(call, reading, study, design, subjects), keep.close)


def get_subject_clinical_data(call: Call) -> Answer:
    with ExitStack() as stack:
        reading = stack.enter_context(call.store.reading())
        study = call.study(reading)
        subject = call.subject(reading, study)
        design = live_design(reading, study)
        keep = stack.pop_all()
    return Stream(200, _HEADERS, _export(call, reading, study, design, [subject]), keep.close)


def _export(call: Call, reading: Reading, study: Study, design: Design, subjects: list[Subject]) -> Iterator[bytes]:
    return odm_writing.write_clinical(
        study_oid=study.oid,
        version_oid=design.version_oid,
        subjects=_visible(call, reading, study, design, subjects),
        file_oid=f"{study.oid}.{study.seq}",
        now=call.now,
    )


def _visible(
    call: Call, reading: Reading, study: Study, design: Design, subjects: list[Subject]
) -> Iterator[SubjectData]:
    order, sight = _Order(design), ItemSight(call, reading, study)
    for start in range(0, len(subjects), _SUBJECTS_AT_ONCE):
        chunk = subjects[start : start + _SUBJECTS_AT_ONCE]
        stored = reading.groups([subject.id for subject in chunk])
        for subject in chunk:
            groups = [
                _shown(group.data, subject, sight)
                for group in stored[subject.id]
                if call.reaches(subject, form=group.data.form)
            ]
            shown = sorted((group for group in groups if group.items), key=order.of)
            yield SubjectData(subject.key, subject.site, None, tuple(shown))


def _shown(group: GroupData, subject: Subject, sight: ItemSight) -> GroupData:
    return replace(group, items=tuple(item for item in group.items if sight.shows(subject, group.form, item.oid)))


class _Order:
    """Events, forms and groups in the order of the design, so that each container stands once."""

    def __init__(self, design: Design) -> None:
        self._places = [
            {oid: place for place, oid in enumerate(defined)}
            for defined in (design.events, design.forms, design.groups)
        ]

    def of(self, group: GroupData) -> tuple[object, ...]:
        key: list[object] = []
        levels = ((group.event, group.event_repeat), (group.form, group.form_repeat), (group.group, group.group_repeat))
        for known, (oid, repeat) in zip(self._places, levels, strict=True):
            key += [known.get(oid, len(known)), oid, _natural(repeat)]
        return tuple(key)


def _natural(repeat: str | None) -> tuple[int, int, str]:
    """None first, then numbers by value, then other keys."""
    if repeat is None:
        return 0, 0, ""
    return (1, int(repeat), repeat) if repeat.isascii() and repeat.isdigit() and len(repeat) < 19 else (2, 0, repeat)


def _rights(call: Call, study: Study) -> Rights:
    return Rights(
        sites=call.sites(study.oid),
        may_write=lambda site, form: call.holds("clinical-data:write", study.oid, site, form=form),
        may_register=lambda site: call.holds("subjects:write", study.oid, site),
    )


def _of_study(file: OdmFile, study: Study) -> ClinicalData:
    if len(file.clinical) != 1:
        raise ApiProblem(422, "one-clinical-data", "the file must hold exactly one ClinicalData element")
    clinical = file.clinical[0]
    if clinical.study_oid != study.oid:
        raise ApiProblem(422, "other-study", "the file's StudyOID is not the study of the path")
    return clinical


def _flag(call: Call, name: str) -> bool:
    value = call.query.get(name, "false")
    if value not in ("true", "false"):
        raise ApiProblem(400, "bad-query", f"{name} is true or false")
    return value == "true"
