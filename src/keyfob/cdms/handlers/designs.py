"""The live design of a study, read from the document that it was loaded from, and remembered."""

import functools

from keyfob.cdms.odm import reading as odm
from keyfob.cdms.odm.model import Design
from keyfob.cdms.problems import ApiProblem
from keyfob.cdms.storage.reading import Reading
from keyfob.cdms.storage.records import Study

_REMEMBERED = 32


def live_design(reading: Reading, study: Study) -> Design:
    """Raises ApiProblem (409) when there is none."""
    if study.live_version is None:
        raise ApiProblem(409, "not-open", "the study has no live metadata version yet")
    return design_of(reading, study.oid, study.live_version)


def design_of(reading: Reading, study: str, version: str) -> Design:
    """Raises ApiProblem (422) when the study has no such version."""
    found = reading.find_version(study, version)
    if found is None:
        raise ApiProblem(422, "unknown-oid", "the study has no such metadata version")
    body, sha256 = found
    return _parse(study, version, sha256, body)


@functools.lru_cache(maxsize=_REMEMBERED)
def _parse(study: str, version: str, _sha256: str, body: bytes) -> Design:
    for design in odm.read(body).designs:
        if (design.study_oid, design.version_oid) == (study, version):
            return design
    raise AssertionError("a stored document holds the version that it was stored for")
