"""Clinical data in and out as ODM: a file is stored whole or not at all, a study leaves as a stream."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack

from keyfob import client_secret
from keyfob.cdms import ingest, paging, problems
from keyfob.cdms.ahead import Place, plan_ahead
from keyfob.cdms.call import Answer, Call, Stream, fingerprint
from keyfob.cdms.handlers import forms, snapshots, validators
from keyfob.cdms.handlers.bodies import read_data
from keyfob.cdms.handlers.designs import design_of
from keyfob.cdms.handlers.repeats import once
from keyfob.cdms.handlers.snapshots import Wanted
from keyfob.cdms.ingest import Plan, Refused, Rights
from keyfob.cdms.odm.model import ClinicalData, OdmFile
from keyfob.cdms.odm.writing import Head
from keyfob.cdms.problems import ApiProblem
from keyfob.cdms.storage.reading import Reading
from keyfob.cdms.storage.records import Study, Subject
from keyfob.cdms.storage.writing import Writing
from keyfob.oauth.wire import Response
from keyfob.serving import json_response

QUERY = frozenset({"dry_run", "strict", "on_error"})
EXPORT_QUERY = frozenset({"site", "event", "form", "as_of_seq"})


def post_clinical_data(call: Call) -> Answer:
    """The receipt of a file. Everything in it is stored in one transaction, or nothing is."""
    file = read_data(call, strictly=_flag(call, "strict"))
    skips = _skips(call)

    def plan(reading: Reading, study: Study) -> tuple[Plan, Refused]:
        return _plan(call, reading, study, file, _of_study(file, study), skips=skips)

    with call.store.reading() as reading:
        study = call.study(reading)
        if _flag(call, "dry_run"):
            return json_response(200, write_receipt(file, *plan(reading, study), None))
    asked = fingerprint(b"odm", study.oid.encode(), str(sorted(call.query.items())).encode(), call.body)
    # Without a key the file is its own, FileOID and all: the same bytes are the same batch.
    key = call.header(b"idempotency-key") or f"odm:{asked}"
    held = plan_ahead(call, key, plan, depends=_depends)
    with call.store.writing(actor=call.actor, now=call.now) as writing:
        study = call.study_to_change(writing)

        def do() -> Response:
            return _store(call, writing, study, file, *held(writing, study))

        return once(call, writing, key, do, asked=asked)


def _depends(planned: tuple[Plan, Refused], subject: str, _place: Place) -> bool:
    return subject in planned[0].known


def _store(call: Call, writing: Writing, study: Study, file: OdmFile, plan: Plan, refused: Refused) -> Response:
    batch = client_secret.new_id("bat_", call.surroundings.entropy(16))
    receipt = write_receipt(file, plan, refused, batch)
    digest = hashlib.sha256(call.body).hexdigest()
    writing.keep_batch(batch, study.oid, file_oid=file.file_oid, sha256=digest, body=call.body, receipt=receipt)
    ingest.carry_out(plan, writing, batch=batch)
    return json_response(200, receipt)


def _plan(
    call: Call, reading: Reading, study: Study, file: OdmFile, clinical: ClinicalData, *, skips: bool
) -> tuple[Plan, Refused]:
    """The plan, and what was left out of it: with `skips` each subject that anything speaks against, whole.

    Raises ApiProblem when something speaks against the rest.
    """
    design = design_of(reading, study.oid, clinical.version_oid)
    if study.live_version != design.version_oid:
        raise ApiProblem(409, "not-open", "this metadata version is not the live one")
    rights, entropy, refused = _rights(call, study), call.surroundings.entropy, Refused()
    plan = ingest.make_plan(reading, study, design, clinical, rights, entropy=entropy)
    plan.found.errors[:0] = file.errors
    while skips and plan.found.errors:
        left = refused.leave_out(clinical, plan.found.errors)
        if left == clinical:
            break  # something that is no subject's
        clinical = left
        plan = ingest.make_plan(reading, study, design, clinical, rights, entropy=entropy)
    if plan.found.errors:
        status = 409 if all(one.code in ingest.CONFLICTS for one in plan.found.errors) else 422
        raise ApiProblem(status, plan.found.errors[0].code, "nothing was stored", findings=plan.found.errors)
    return plan, refused


def write_receipt(file: OdmFile, plan: Plan, refused: Refused, batch: str | None) -> dict[str, object]:
    """Each item that was sent is counted once: as stored, unchanged or refused."""
    warnings = [*file.warnings, *plan.found.warnings]
    return {
        "batch": batch,
        "stored": plan.stored,
        "unchanged": plan.unchanged,
        "refused": refused.items,
        "subjects_registered": len(plan.subjects),
        "subjects_refused": refused.subjects,
        "warnings": [problems.write_finding(one) for one in warnings[: problems.MAX_SHOWN]],
        "warnings_total": len(warnings),
        "errors": [problems.write_finding(one) for one in refused.errors[: problems.MAX_SHOWN]],
        "errors_total": len(refused.errors),
    }


def get_clinical_data(call: Call) -> Answer:
    """All that the client may see of the study, from one snapshot, streamed."""
    kind, write = forms.chosen(call)
    with ExitStack() as stack:
        reading = stack.enter_context(call.store.reading())
        study = call.study(reading)
        wanted = _wanted(call, study)
        version = _version_at(reading, study, wanted.as_of)
        headers = validators.tagged(call, reading, study, kind)
        if (known := validators.unchanged(call, headers)) is not None:
            return known
        subjects = reading.subjects(study.oid, sites=call.sites(study.oid))
        chunks = _export(call, reading, study, version, subjects, wanted, write)
        keep = stack.pop_all()
    return Stream(200, headers, chunks, keep.close)


def get_subject_clinical_data(call: Call) -> Answer:
    kind, write = forms.chosen(call)
    with ExitStack() as stack:
        reading = stack.enter_context(call.store.reading())
        study = call.study(reading)
        subject = call.subject(reading, study)
        version = _version_at(reading, study, None)
        headers = validators.tagged(call, reading, study, kind)
        if (known := validators.unchanged(call, headers)) is not None:
            return known
        chunks = _export(call, reading, study, version, [subject], Wanted(), write)
        keep = stack.pop_all()
    return Stream(200, headers, chunks, keep.close)


def _version_at(reading: Reading, study: Study, seq: int | None) -> str:
    version = study.live_version if seq is None else reading.live_version(study.oid, at=seq)
    if version is None:
        raise ApiProblem(409, "not-open", "the study has no live metadata version yet")
    return version


def _export(
    call: Call, reading: Reading, study: Study, version: str, subjects: Sequence[Subject], wanted: Wanted,
    write: forms.Writer,
) -> Iterator[bytes]:  # fmt: skip
    seq = study.seq if wanted.as_of is None else wanted.as_of
    design = design_of(reading, study.oid, version)
    head = Head(study.oid, version, f"{study.oid}.{seq}", call.now)
    return write(head, snapshots.subjects_of(call, reading, study, design, subjects, wanted))


def _wanted(call: Call, study: Study) -> Wanted:
    query = call.query
    as_of = query.get("as_of_seq")
    seq = None if as_of is None else paging.read_sequence(as_of, high_water=study.seq)
    return Wanted(query.get("site"), query.get("event"), query.get("form"), seq)


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


def _skips(call: Call) -> bool:
    value = call.query.get("on_error", "refuse")
    if value not in ("refuse", "skip"):
        raise ApiProblem(400, "bad-query", "on_error is refuse or skip")
    return value == "skip"


def _flag(call: Call, name: str) -> bool:
    value = call.query.get(name, "false")
    if value not in ("true", "false"):
        raise ApiProblem(400, "bad-query", f"{name} is true or false")
    return value == "true"
