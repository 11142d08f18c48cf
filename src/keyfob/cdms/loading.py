"""`keyfob-cdms load`: study designs and clinical data as the operator, each file whole or not at all."""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path

from keyfob import client_secret
from keyfob.ambient import Entropy
from keyfob.cdms import ingest
from keyfob.cdms.handlers.designs import design_of
from keyfob.cdms.ingest import Rights
from keyfob.cdms.odm import json_reading
from keyfob.cdms.odm import reading as odm
from keyfob.cdms.odm.model import ClinicalData, Design, Finding, OdmError, OdmFile
from keyfob.cdms.storage.records import Actor, Study
from keyfob.cdms.storage.store import Store
from keyfob.cdms.storage.writing import Writing
from keyfob.problem import Misuse, Problem

_PATH_KEY = re.compile(r"[A-Za-z0-9._ ~-]{1,64}")
_MAX_SHOWN = 20
_EVERYTHING = Rights(
    sites=None, may_write=lambda _site, _form: True, may_register=lambda _site: True, registers_unknown=True
)


@dataclass(frozen=True, slots=True)
class Loaded:
    """What one file did: its designs and data, in words for a person and as a document."""

    path: Path
    designs: tuple[dict[str, object], ...]
    data: tuple[dict[str, object], ...]
    warnings: int

    @property
    def document(self) -> dict[str, object]:
        return {"file": str(self.path), "designs": self.designs, "data": self.data, "warnings": self.warnings}


def load(
    store: Store,
    path: Path,
    body: bytes,
    *,
    study_key: str | None,
    draft: bool,
    now: int,
    entropy: Entropy,
    operator: str,
) -> Loaded:
    """Store the file at `path`. Raises Problem naming every place that is wrong: nothing of the file is stored then."""
    try:
        file = json_reading.read(body) if body.lstrip()[:1] == b"{" else odm.read(body)
    except OdmError as unreadable:
        at = f" at {unreadable.where}" if unreadable.where else ""
        line = f", line {unreadable.line}" if unreadable.line else ""
        raise Problem(unreadable.code, f"{path}: {unreadable.message}{at}{line}", hint="nothing was stored") from None
    if not file.designs and not file.clinical:
        raise Problem("nothing-to-load", f"{path} holds neither a study design nor clinical data")
    sha256 = hashlib.sha256(body).hexdigest()
    with store.writing(actor=Actor(None, None, operator), now=now) as writing:
        named = [study for study, _ in file.sites if study is not None]
        named += [one.study_oid for one in file.designs] + [one.study_oid for one in file.clinical]
        writing.take_all(named)
        designs = [_load_design(writing, design, body, sha256, study_key, draft=draft) for design in file.designs]
        _load_sites(writing, file)
        data, warnings = [], len(file.warnings)
        for clinical in file.clinical:
            loaded, found = _load_clinical(writing, path, clinical, entropy)
            data.append(loaded)
            warnings += found
        if data and any(one["stored"] for one in data):
            batch = client_secret.new_id("bat_", entropy(16))
            study = file.clinical[0].study_oid
            writing.keep_batch(batch, study, file_oid=file.file_oid, sha256=sha256, body=body)
    return Loaded(path, tuple(designs), tuple(data), warnings)


def _load_design(
    writing: Writing, design: Design, body: bytes, sha256: str, study_key: str | None, *, draft: bool
) -> dict[str, object]:
    document: dict[str, object] = {"study": design.study_oid, "version": design.version_oid}
    known = writing.reading.find_version(design.study_oid, design.version_oid)
    if known is not None:
        if known[1] != sha256:
            raise Problem(
                "version-exists",
                f"the version {design.version_oid} of {design.study_oid} is loaded already, with another content",
                hint="a loaded version never changes: give the new one another MetaDataVersion OID",
            )
        if draft or writing.reading.live_since(design.study_oid, design.version_oid) is not None:
            return {**document, "state": "unchanged"}
        writing.make_live(design, reason=None)
        return {**document, "state": "live"}
    path_key = _path_key(writing, design, study_key)
    writing.put_version(design, body, sha256, path_key=path_key, live=not draft)
    return {**document, "state": "draft" if draft else "live", "path_key": path_key}


def _path_key(writing: Writing, design: Design, study_key: str | None) -> str:
    known = writing.reading.find_study(oid=design.study_oid)
    if known is not None:
        return known.path_key
    path_key = study_key or design.study_oid
    if not _PATH_KEY.fullmatch(path_key) or path_key in (".", ".."):
        raise Misuse(
            "study-key",
            f"the OID {design.study_oid} cannot stand in a URL" if study_key is None else "--study-key is malformed",
            hint="give --study-key: 1 to 64 of letters, digits, space and . _ ~ -",
        )
    if writing.reading.find_study(path_key=path_key) is not None:
        raise Misuse("study-key", f"another study has the key {path_key}", hint="give another --study-key")
    return path_key


def _load_sites(writing: Writing, file: OdmFile) -> None:
    studies = [design.study_oid for design in file.designs] or [clinical.study_oid for clinical in file.clinical]
    for study, site in file.sites:
        for oid in [study] if study is not None else studies:
            if writing.reading.find_study(oid=oid) is not None:
                writing.put_site(oid, site)


def _load_clinical(
    writing: Writing, path: Path, clinical: ClinicalData, entropy: Entropy
) -> tuple[dict[str, object], int]:
    study = _study(writing, path, clinical)
    if study.live_version != clinical.version_oid:
        raise Problem(
            "not-open",
            f"{path}: the live version of {study.oid} is {study.live_version}, the data are of {clinical.version_oid}",
            hint="load the design first, without --draft",
        )
    design = design_of(writing.reading, study.oid, clinical.version_oid)
    plan = ingest.make_plan(writing.reading, study, design, clinical, _EVERYTHING, entropy=entropy)
    if plan.found.errors:
        raise _refused(path, plan.found.errors)
    ingest.carry_out(plan, writing, batch=None)
    counts = {"stored": plan.stored, "unchanged": plan.unchanged, "subjects_registered": len(plan.subjects)}
    return {"study": study.oid, **counts}, len(plan.found.warnings)


def _study(writing: Writing, path: Path, clinical: ClinicalData) -> Study:
    study = writing.reading.find_study(oid=clinical.study_oid)
    if study is None:
        raise Problem(
            "unknown-oid", f"{path}: the study {clinical.study_oid} is not loaded", hint="load its design first"
        )
    return study


def _refused(path: Path, errors: list[Finding]) -> Problem:
    shown = "".join(f"\n  {one.where} (line {one.line}): {one.message}" for one in errors[:_MAX_SHOWN])
    more = f"\n  and {len(errors) - _MAX_SHOWN} more" if len(errors) > _MAX_SHOWN else ""
    return Problem(errors[0].code, f"{path}: nothing was stored, {len(errors)} mistakes{shown}{more}")
