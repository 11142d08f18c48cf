"""ODM 1.3.2 documents out of values, streamed, in the order that the schema demands."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import groupby
from xml.sax.saxutils import quoteattr

from keyfob.cdms.odm.model import NAMESPACE, GroupData, ItemValue, SubjectData

SOURCE_SYSTEM = "Keyfob CDMS"


def write_clinical(
    *, study_oid: str, version_oid: str, subjects: Iterable[SubjectData], file_oid: str, now: int
) -> Iterator[bytes]:
    """A Snapshot of the subjects, one piece for each, so that a study of any size can be streamed."""
    created = datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    yield (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<ODM xmlns="{NAMESPACE}" FileType="Snapshot" FileOID={_quoted(file_oid)} '
        f'CreationDateTime="{created}" ODMVersion="1.3.2" SourceSystem="{SOURCE_SYSTEM}">\n'
        f"<ClinicalData StudyOID={_quoted(study_oid)} MetaDataVersionOID={_quoted(version_oid)}>\n"
    ).encode()
    for subject in subjects:
        yield "".join(_subject(subject)).encode()
    yield b"</ClinicalData>\n</ODM>\n"


def _subject(subject: SubjectData) -> Iterator[str]:
    yield f"<SubjectData SubjectKey={_quoted(subject.key)}>\n"
    # The schema wants SiteRef before the events.
    if subject.site is not None:
        yield f"<SiteRef LocationOID={_quoted(subject.site)}/>\n"
    for (event, event_repeat), in_event in groupby(subject.groups, lambda group: (group.event, group.event_repeat)):
        yield f"<StudyEventData StudyEventOID={_quoted(event)}{_repeat('StudyEventRepeatKey', event_repeat)}>\n"
        for (form, form_repeat), in_form in groupby(in_event, lambda group: (group.form, group.form_repeat)):
            yield f"<FormData FormOID={_quoted(form)}{_repeat('FormRepeatKey', form_repeat)}>\n"
            for group in in_form:
                yield from _group(group)
            yield "</FormData>\n"
        yield "</StudyEventData>\n"
    yield "</SubjectData>\n"


def _group(group: GroupData) -> Iterator[str]:
    repeat = _repeat("ItemGroupRepeatKey", group.group_repeat)
    yield f"<ItemGroupData ItemGroupOID={_quoted(group.group)}{repeat}>\n"
    for item in group.items:
        yield _item(item)
    yield "</ItemGroupData>\n"


def _item(item: ItemValue) -> str:
    value = 'IsNull="Yes"' if item.value is None else f"Value={_quoted(item.value)}"
    start = f"<ItemData ItemOID={_quoted(item.oid)} {value}"
    if item.unit is None:
        return f"{start}/>\n"
    return f"{start}><MeasurementUnitRef MeasurementUnitOID={_quoted(item.unit)}/></ItemData>\n"


def _repeat(name: str, key: str | None) -> str:
    return "" if key is None else f" {name}={_quoted(key)}"


def _quoted(value: str) -> str:
    # XML 1.0 §3.3.3: line ends and tabs in attributes survive only as character references.
    return quoteattr(value, {"\n": "&#10;", "\r": "&#13;", "\t": "&#9;"})
