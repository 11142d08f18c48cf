"""Rows of external datasets, in: a transfer is stored whole or not at all, or row by row where its sender wants it."""

import hashlib
from collections import Counter

from keyfob import client_secret
from keyfob.cdms import problems, row_ingest
from keyfob.cdms.ahead import Place, plan_ahead
from keyfob.cdms.call import Answer, Call
from keyfob.cdms.datasets import reading as dataset_json
from keyfob.cdms.datasets.reading import MEDIA_TYPES, Transfer
from keyfob.cdms.handlers.datasets import flag
from keyfob.cdms.handlers.designs import live_design
from keyfob.cdms.handlers.repeats import once
from keyfob.cdms.odm import datasets
from keyfob.cdms.odm.datasets import Dataset
from keyfob.cdms.odm.model import Finding, OdmError
from keyfob.cdms.problems import ApiProblem, not_found
from keyfob.cdms.row_ingest import OTHER_VALUES, RowPlan, RowRights
from keyfob.cdms.storage.reading import Reading
from keyfob.cdms.storage.records import Study
from keyfob.cdms.storage.writing import Writing
from keyfob.oauth.wire import Response
from keyfob.serving import json_response

QUERY = frozenset({"dry_run", "on_error"})


def patch_dataset(call: Call) -> Answer:
    """The receipt of a transfer: its rows are added to the dataset. `sent` is `stored` + `unchanged` + `refused`."""
    with call.store.reading() as reading:
        # Granted first: what a stranger sends is not even read.
        _dataset(call, reading, call.study(reading))
    transfer = _read(call)
    skips = _skips(call)

    def plan(reading: Reading, study: Study) -> RowPlan:
        return _plan(call, reading, study, _dataset(call, reading, study), transfer, skips=skips)

    if flag(call, "dry_run"):
        with call.store.reading() as reading:
            study = call.study(reading)
            return json_response(200, _receipt(call, plan(reading, study), transfer, study, None))
    # Without a key the transfer is its own: the same bytes are the same batch.
    key = call.header(b"idempotency-key") or f"dataset:{call.asked}"
    held = plan_ahead(call, key, plan, depends=_depends)
    with call.store.writing(actor=call.actor, now=call.now) as writing:
        study = call.study_to_change(writing)
        _dataset(call, writing.reading, study)  # still there, before what was answered is given again

        def do() -> Response:
            return _store(call, writing, held(writing, study), transfer, study)

        return once(call, writing, key, do)


def _depends(plan: RowPlan, _subject: str, place: Place) -> bool:
    return place["item_group"] == plan.dataset


def _plan(call: Call, reading: Reading, study: Study, dataset: Dataset, transfer: Transfer, *, skips: bool) -> RowPlan:
    """Raises ApiProblem when anything speaks against it, or with `skips` against all of it."""
    _check_described(transfer, study, dataset)
    rights = RowRights(
        sites=call.sites(study.oid),
        may_write=lambda site: call.holds(call.scope or "", study.oid, site, form=dataset.forms[0]),
    )
    design = live_design(reading, study)
    plan = row_ingest.make_plan(reading, study, design, dataset, transfer, rights, reason=call.reason())
    errors = plan.checked.found.errors
    if errors and not (skips and plan.checked.items):
        status = 409 if {error.code for error in errors} == {OTHER_VALUES} else 422
        raise ApiProblem(status, errors[0].code, "nothing was stored", findings=errors)
    return plan


def _store(call: Call, writing: Writing, plan: RowPlan, transfer: Transfer, study: Study) -> Response:
    batch = client_secret.new_id("bat_", call.surroundings.entropy(16))
    receipt = _receipt(call, plan, transfer, study, batch)
    digest = hashlib.sha256(call.body).hexdigest()
    writing.keep_batch(batch, study.oid, file_oid=transfer.file_oid, sha256=digest, body=call.body, receipt=receipt)
    row_ingest.carry_out(plan, writing, batch=batch)
    return json_response(200, receipt)


def _receipt(call: Call, plan: RowPlan, transfer: Transfer, study: Study, batch: str | None) -> dict[str, object]:
    found = plan.checked.found
    warnings = [*_version_warning(transfer, study), *found.warnings]
    return {
        "batch": batch,
        "sent": plan.sent,
        "stored": len(plan.writes),
        "unchanged": plan.unchanged,
        "refused": plan.refused,
        "sha256": hashlib.sha256(call.body).hexdigest(),
        "warnings": [problems.write_finding(one) for one in warnings[: problems.MAX_SHOWN]],
        "warnings_total": len(warnings),
        "errors": [problems.write_finding(one) for one in found.errors[: problems.MAX_SHOWN]],
        "errors_total": len(found.errors),
        "errors_by_code": dict(sorted(Counter(one.code for one in found.errors).items())),
    }


def _version_warning(transfer: Transfer, study: Study) -> list[Finding]:
    if transfer.version in (None, study.live_version):
        return []
    message = "the transfer was made for another metadata version than the live one"
    return [Finding("other-version", message, "/metaDataVersionOID")]


def _dataset(call: Call, reading: Reading, study: Study) -> Dataset:
    """The external dataset of the path, a form of which is granted. Raises ApiProblem: 404, or 403 for another one."""
    dataset = datasets.find(live_design(reading, study), call.params["dataset"])
    if dataset is None or not any(call.reaches_form(study.oid, form) for form in dataset.forms):
        raise not_found()
    if not dataset.external:
        raise ApiProblem(403, "not-external", "the study's design does not mark this dataset as external")
    return dataset


def _read(call: Call) -> Transfer:
    kind = MEDIA_TYPES.get((call.header(b"content-type") or "").partition(";")[0].strip().lower())
    if kind is None:
        raise ApiProblem(415, "unsupported-media-type", f"the body must be one of {', '.join(sorted(MEDIA_TYPES))}")
    try:
        return dataset_json.read(call.body, kind, max_bytes=call.surroundings.settings.max_body_bytes)
    except OdmError as unreadable:
        raise problems.from_odm(unreadable) from None


def _check_described(transfer: Transfer, study: Study, dataset: Dataset) -> None:
    """Raises ApiProblem (422) when the document says that it is another one, or that it is not whole."""
    if transfer.oid not in (None, dataset.oid):
        raise ApiProblem(422, "other-dataset", "the document's itemGroupOID is not the dataset of the path")
    if transfer.study not in (None, study.oid):
        raise ApiProblem(422, "other-study", "the document's studyOID is not the study of the path")
    if transfer.records not in (None, len(transfer.rows)):
        message = f"records says {transfer.records}, but there are {len(transfer.rows)} rows"
        raise ApiProblem(422, "records", message, findings=[Finding("records", message, "/records")])


def _skips(call: Call) -> bool:
    value = call.query.get("on_error", "refuse")
    if value not in ("refuse", "skip"):
        raise ApiProblem(400, "bad-query", "on_error is refuse or skip")
    return value == "skip"
