"""Which items a call may see: those that identify a person only where identifiers:read reaches, too."""

from keyfob.cdms.call import Call
from keyfob.cdms.handlers.designs import design_of, live_design
from keyfob.cdms.storage.reading import Reading
from keyfob.cdms.storage.records import Study, Subject

_marked: dict[tuple[str, str, str], frozenset[str]] = {}
"""What a version marks as identifying, by study, version and SHA-256: a loaded version never changes."""


class ItemSight:
    """The sight of one call on one study."""

    def __init__(self, call: Call, reading: Reading, study: Study) -> None:
        self._call = call
        self._plain = plain_items(reading, study)

    def shows(self, subject: Subject, form: str, item: str) -> bool:
        return item in self._plain or self._call.identifies(subject, form=form)


def plain_items(reading: Reading, study: Study) -> frozenset[str]:
    """The items that identify nobody: the live design has them, and no version of the study marks them, draft or old.

    A value stays what it was when it was given: a later version that marks it no more, or drops it, opens nothing.
    """
    if study.live_version is None:
        return frozenset()
    marked = [_marked_in(reading, study.oid, *version) for version in reading.versions(study.oid)]
    return frozenset(live_design(reading, study).items).difference(*marked)


def _marked_in(reading: Reading, study: str, version: str, sha256: str) -> frozenset[str]:
    found = _marked.get((study, version, sha256))
    if found is None:
        design = design_of(reading, study, version)
        found = frozenset(item.oid for item in design.items.values() if item.identifying)
        _marked[study, version, sha256] = found
    return found
