"""ODM 1.3.2 documents out of values, streamed, in the order that the schema demands."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from xml.sax.saxutils import quoteattr

from keyfob.cdms.odm.model import NAMESPACE, GroupData, ItemValue, SubjectData

SOURCE_SYSTEM = "Keyfob CDMS"


@dataclass(frozen=True, slots=True)
class Head:
    """What stands above the subjects of a document; `now` in seconds."""

    study_oid: str
    version_oid: str
    file_oid: str
    now: int

    @property
    def created(self) -> str:
        return timestamp(self.now)


def timestamp(at: int) -> str:
    """Seconds as an ISO 8601 time in UTC."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def write_clinical(head: Head, subjects: Iterable[SubjectData]) -> Iterator[bytes]:
    """A Snapshot of the subjects, one piece for each, so that a study of any size can be streamed."""
    return snapshot(NAMESPACE, "1.3.2", head, subjects, _forms)


def snapshot(
    namespace: str, version: str, head: Head, subjects: Iterable[SubjectData],
    in_event: Callable[[Iterable[GroupData]], Iterator[str]],
) -> Iterator[bytes]:  # fmt: skip
    """Such a document of either edition; `in_event` writes what stands in one event, which is where they differ."""
    yield begin(namespace, version, "Snapshot", head).encode()
    yield clinical_data(head).encode()
    for subject in subjects:
        yield "".join(_subject(subject, in_event)).encode()
    yield b"</ClinicalData>\n</ODM>\n"


def begin(namespace: str, version: str, file_type: str, head: Head) -> str:
    """The start of a document, down to the ODM element, of either edition."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<ODM xmlns="{namespace}" FileType="{file_type}" FileOID={quoted(head.file_oid)} '
        f'CreationDateTime="{head.created}" ODMVersion="{version}" SourceSystem="{SOURCE_SYSTEM}">\n'
    )


def clinical_data(head: Head) -> str:
    """The start of its ClinicalData element."""
    return f"<ClinicalData StudyOID={quoted(head.study_oid)} MetaDataVersionOID={quoted(head.version_oid)}>\n"


def _subject(subject: SubjectData, in_event: Callable[[Iterable[GroupData]], Iterator[str]]) -> Iterator[str]:
    yield f"<SubjectData SubjectKey={quoted(subject.key)}>\n"
    # The schema wants SiteRef before the events.
    if subject.site is not None:
        yield f"<SiteRef LocationOID={quoted(subject.site)}/>\n"
    for (event, event_repeat), groups in groupby(subject.groups, lambda group: (group.event, group.event_repeat)):
        yield f"<StudyEventData StudyEventOID={quoted(event)}{repeat('StudyEventRepeatKey', event_repeat)}>\n"
        yield from in_event(groups)
        yield "</StudyEventData>\n"
    yield "</SubjectData>\n"


def _forms(groups: Iterable[GroupData]) -> Iterator[str]:
    for (form, form_repeat), in_form in groupby(groups, lambda group: (group.form, group.form_repeat)):
        yield f"<FormData FormOID={quoted(form)}{repeat('FormRepeatKey', form_repeat)}>\n"
        for group in in_form:
            yield from _group(group)
        yield "</FormData>\n"


def _group(group: GroupData) -> Iterator[str]:
    yield f"<ItemGroupData ItemGroupOID={quoted(group.group)}{repeat('ItemGroupRepeatKey', group.group_repeat)}>\n"
    for item in group.items:
        yield _item(item)
    yield "</ItemGroupData>\n"


def _item(item: ItemValue) -> str:
    value = 'IsNull="Yes"' if item.value is None else f"Value={quoted(item.value)}"
    start = f"<ItemData ItemOID={quoted(item.oid)} {value}"
    if item.unit is None:
        return f"{start}/>\n"
    return f"{start}><MeasurementUnitRef MeasurementUnitOID={quoted(item.unit)}/></ItemData>\n"


def repeat(name: str, key: str | None) -> str:
    return "" if key is None else f" {name}={quoted(key)}"


def quoted(value: str) -> str:
    # XML 1.0 §3.3.3: line ends and tabs in attributes survive only as character references.
    return quoteattr(value, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})
