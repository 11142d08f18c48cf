"""The live design of a study, read from the document that it was loaded from, and remembered."""

from keyfob.cdms.odm import reading as odm
from keyfob.cdms.odm.model import Design
from keyfob.cdms.problems import ApiProblem
from keyfob.cdms.storage.reading import Reading
from keyfob.cdms.storage.records import Study

_REMEMBERED = 32
_known: dict[tuple[str, str, str], Design] = {}
"""By study, version and the SHA-256 of the document; the oldest goes first."""


def live_design(reading: Reading, study: Study) -> Design:
    """Raises ApiProblem (409) when there is none."""
    if study.live_version is None:
        raise ApiProblem(409, "not-open", "the study has no live metadata version yet")
    return design_of(reading, study.oid, study.live_version)


def design_of(reading: Reading, study: str, version: str) -> Design:
    """Raises ApiProblem (422) when the study has no such version."""
    sha256 = reading.find_sha256(study, version)
    if sha256 is None:
        raise ApiProblem(422, "unknown-oid", "the study has no such metadata version")
    known = _known.get((study, version, sha256))
    if known is None:
        found = reading.find_version(study, version)
        assert found is not None  # of the same snapshot
        known = _parse(study, version, found[0])
        while len(_known) >= _REMEMBERED:
            _known.pop(next(iter(_known)), None)
        _known[study, version, sha256] = known
    return known


def _parse(study: str, version: str, body: bytes) -> Design:
    for design in odm.read(body).designs:
        if (design.study_oid, design.version_oid) == (study, version):
            return design
    raise AssertionError("a stored document holds the version that it was stored for")
