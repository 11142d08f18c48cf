"""The JSON twin of ODM clinical data, streamed: ODM 1.3.2 with its names in lowerCamelCase and its lists as arrays.

`{"fileType": "Snapshot", "fileOID": …, "clinicalData": [{"studyOID": …, "metaDataVersionOID": …, "subjectData":
[{"subjectKey": …, "siteRef": {"locationOID": …}, "studyEventData": [{"studyEventOID": …, "formData": [{"formOID": …,
"itemGroupData": [{"itemGroupOID": …, "itemData": [{"itemOID": …, "value": "39.0"}]}]}]}]}]}]}`. A value is a text, so
that 39.0 stays 39.0.
"""

import json
from collections.abc import Iterable, Iterator
from itertools import groupby

from keyfob.cdms.odm.model import GroupData, ItemValue, SubjectData
from keyfob.cdms.odm.writing import SOURCE_SYSTEM, Head

_write = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def write_clinical(head: Head, subjects: Iterable[SubjectData]) -> Iterator[bytes]:
    """See writing.write_clinical."""
    start = {
        "fileType": "Snapshot",
        "fileOID": head.file_oid,
        "creationDateTime": head.created,
        "odmVersion": "1.3.2",
        "sourceSystem": SOURCE_SYSTEM,
    }
    names = {"studyOID": head.study_oid, "metaDataVersionOID": head.version_oid}
    yield f'{_write(start)[:-1]},"clinicalData":[{_write(names)[:-1]},"subjectData":['.encode()
    for place, subject in enumerate(subjects):
        yield f"{',' if place else ''}\n{_write(_subject(subject))}".encode()
    yield b"\n]}]}\n"


def _subject(subject: SubjectData) -> dict[str, object]:
    document: dict[str, object] = {"subjectKey": subject.key}
    if subject.site is not None:
        document["siteRef"] = {"locationOID": subject.site}
    events = groupby(subject.groups, lambda group: (group.event, group.event_repeat))
    document["studyEventData"] = [
        {"studyEventOID": event} | _repeat("studyEventRepeatKey", key) | {"formData": _forms(groups)}
        for (event, key), groups in events
    ]
    return document


def _forms(groups: Iterable[GroupData]) -> list[dict[str, object]]:
    forms = groupby(groups, lambda group: (group.form, group.form_repeat))
    return [
        {"formOID": form} | _repeat("formRepeatKey", key) | {"itemGroupData": [_group(group) for group in found]}
        for (form, key), found in forms
    ]


def _group(group: GroupData) -> dict[str, object]:
    named = {"itemGroupOID": group.group} | _repeat("itemGroupRepeatKey", group.group_repeat)
    return {**named, "itemData": [_item(item) for item in group.items]}


def _item(item: ItemValue) -> dict[str, object]:
    document: dict[str, object] = {"itemOID": item.oid}
    document |= {"isNull": "Yes"} if item.value is None else {"value": item.value}
    return document if item.unit is None else document | {"measurementUnitRef": {"measurementUnitOID": item.unit}}


def _repeat(name: str, key: str | None) -> dict[str, object]:
    return {} if key is None else {name: key}
