"""A dataset that a file describes, as a part of a study's design: an event, a form and an external item group.

The file is Dataset-JSON (of its rows nothing is read) or Define-XML, which is ODM 1.3.2 with additions. What comes out
is the study's own design, in ODM 1.3.2, as a new metadata version: there is no other place where a dataset is defined.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from lxml import etree

from keyfob.cdms.datasets import reading, writing
from keyfob.cdms.datasets.reading import SentColumn
from keyfob.cdms.odm.datasets import NUMBERS
from keyfob.cdms.odm.model import COLUMN_CONTEXT, EXTERNAL, MARK_CONTEXT, NAMESPACE, SUBJECT, VISIT, OdmError
from keyfob.cdms.odm.reading import parse
from keyfob.cdms.odm.xml import children, required

_XML_LANG = "{http://www.w3.org/XML/1998/namespace}lang"
_SUBJECTS = ("USUBJID", "SUBJID")
_VISIT = "VISITNUM"
_ORDER = ("Include", "Protocol", "StudyEventDef", "FormDef", "ItemGroupDef", "ItemDef", "CodeList")
"""ODM 1.3.2 §3.1.3: the order of a MetaDataVersion; what comes behind is none of ours."""
_FROM_DEFINE = {name: name for name in ("integer", "float", "date", "time", "datetime", "boolean", "URI")}
# In SDTM a date may be a part of one.
_TO_ODM = {
    "string": "text",
    "decimal": "float",
    "date": "partialDate",
    "time": "partialTime",
    "datetime": "partialDatetime",
}


@dataclass(frozen=True, slots=True)
class Outside:
    """A dataset as a file describes it. `subject` and `visit` are names of columns; `codes` the values of an item."""

    oid: str
    name: str
    label: str
    columns: tuple[SentColumn, ...]
    codes: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    subject: str = ""
    visit: str | None = None


def read(
    body: bytes, *, subject: str | None = None, visit: str | None = None, only: Sequence[str] = ()
) -> list[Outside]:
    """The datasets that a file describes, of Define-XML those whose rows are of subjects; `only`: those of these names.

    Raises OdmError, or ValueError when a dataset or a column that is needed is not there.
    """
    if not body.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        return [_with_roles(_of_dataset_json(body), subject, visit)]
    found = list(_of_define(body))
    if missing := set(only) - {one.name for one in found}:
        raise ValueError(f"there is no dataset {', '.join(sorted(missing))}")
    # The trial's own datasets (TS, TV) have no subject: they are no one's data.
    subjects = {subject, *_SUBJECTS}
    wanted = [
        one for one in found if (one.name in only if only else any(column.name in subjects for column in one.columns))
    ]
    return [_with_roles(one, subject, visit) for one in wanted]


def _of_dataset_json(body: bytes) -> Outside:
    sent = reading.read_file(body)
    if sent.oid is None or sent.columns is None:
        raise OdmError("not-dataset-json", "the document has rows, and nothing that describes them")
    return Outside(sent.oid, sent.name, sent.label or sent.name, sent.columns)


def _of_define(body: bytes) -> Iterator[Outside]:
    for version in parse(body).iter(f"{{{NAMESPACE}}}MetaDataVersion"):
        items = {item.get("OID"): item for item in children(version, "ItemDef")}
        codes = {
            required(one, "OID"): tuple(
                value
                for coded in (*children(one, "CodeListItem"), *children(one, "EnumeratedItem"))
                if (value := coded.get("CodedValue")) is not None
            )
            for one in children(version, "CodeList")
        }
        for group in children(version, "ItemGroupDef"):
            columns, used = [], {}
            for ref in children(group, "ItemRef"):
                item = items.get(required(ref, "ItemOID"))
                if item is None:
                    raise OdmError("unknown-oid", f"{group.get('OID')} refers to an item that is not defined")
                columns.append(_define_column(item, ref))
                for one in children(item, "CodeListRef"):
                    if values := codes.get(required(one, "CodeListOID")):
                        used[required(item, "OID")] = values
            name = group.get("Name", required(group, "OID"))
            yield Outside(required(group, "OID"), name, _label(group) or name, tuple(columns), used)


def _define_column(item: etree._Element, ref: etree._Element) -> SentColumn:
    name = item.get("Name", required(item, "OID"))
    length, key = item.get("Length", ""), ref.get("KeySequence", "")
    data_type = _FROM_DEFINE.get(required(item, "DataType"), "string")
    return SentColumn(
        oid=required(item, "OID"),
        name=name,
        label=_label(item) or name,
        data_type=data_type,
        length=int(length) if length.isdigit() and data_type == "string" else None,
        key_sequence=int(key) if key.isdigit() else None,
    )


def _label(element: etree._Element) -> str:
    texts = (text.text for one in children(element, "Description") for text in children(one, "TranslatedText"))
    return (next(texts, None) or "").strip()


def _with_roles(one: Outside, subject: str | None, visit: str | None) -> Outside:
    names = [column.name for column in one.columns]
    keys = {column.name for column in one.columns if column.key_sequence is not None}
    chosen = subject or next((name for name in _SUBJECTS if name in names), None)
    if chosen not in names:
        raise ValueError(
            f"{one.name} has no column {chosen or ' or '.join(_SUBJECTS)}: name the subject's by --subject"
        )
    seen = visit or (_VISIT if _VISIT in keys else None)
    if seen is not None and seen not in names:
        raise ValueError(f"{one.name} has no column {seen}")
    if not {chosen, seen or chosen} <= keys:
        raise ValueError(f"{one.name}: the columns of the subject and the visit must have a keySequence")
    return replace(one, subject=chosen, visit=seen)


def extend(body: bytes, *, study: str, version: str, new_version: str, datasets: Sequence[Outside], now: int) -> bytes:
    """The design `version` of `study`, out of its document `body`, with the datasets, as the version `new_version`.

    Raises OdmError for a design that is no ODM 1.3, and ValueError for an item group that it has already.
    """
    root = parse(body)
    for other in list(root):
        if not (other.tag == f"{{{NAMESPACE}}}Study" and other.get("OID") == study):
            root.remove(other)
    for one in list(root.iter(f"{{{NAMESPACE}}}MetaDataVersion")):
        parent = one.getparent()
        if one.get("OID") != version and parent is not None:
            parent.remove(one)
    found = next(root.iter(f"{{{NAMESPACE}}}MetaDataVersion"), None)
    if found is None:
        raise OdmError("odm-version", "only a design in ODM 1.3 can be extended")
    known = {required(group, "OID") for group in children(found, "ItemGroupDef")}
    for dataset in datasets:
        if dataset.oid in known:
            raise ValueError(f"the design has the item group {dataset.oid} already")
        _add(found, dataset)
    found.set("OID", new_version)
    root.set("FileOID", f"{study}.{new_version}")
    root.set("CreationDateTime", writing.write_instant(now))
    etree.cleanup_namespaces(root)
    return etree.tostring(root, encoding="UTF-8", xml_declaration=True)


def _add(version: etree._Element, dataset: Outside) -> None:
    event, form = f"SE.{dataset.name}", f"F.{dataset.name}"
    for protocol in children(version, "Protocol"):
        _put(protocol, "StudyEventRef", StudyEventOID=event, Mandatory="No")
    repeating = "No" if dataset.visit is None else "Yes"
    attributes = {"Name": dataset.label, "Repeating": repeating, "Type": "Common"}
    _put(_define(version, "StudyEventDef", event, attributes), "FormRef", FormOID=form, Mandatory="No")
    defined = _define(version, "FormDef", form, {"Name": dataset.label, "Repeating": "No"})
    _put(defined, "ItemGroupRef", ItemGroupOID=dataset.oid, Mandatory="No")
    more = [one for one in dataset.columns if one.key_sequence and one.name not in (dataset.subject, dataset.visit)]
    attributes = {"Name": dataset.name, "Repeating": "Yes" if more else "No"}
    group = _define(version, "ItemGroupDef", dataset.oid, attributes)
    _describe(group, dataset.label)
    for place, column in enumerate(dataset.columns, start=1):
        # A row need not have every column; what it must have are the subject and the keys.
        key = {} if column.key_sequence is None else {"KeySequence": str(column.key_sequence)}
        _put(group, "ItemRef", ItemOID=column.oid, Mandatory="No", OrderNumber=str(place), **key)
    _put(group, "Alias", Context=MARK_CONTEXT, Name=EXTERNAL)
    known = {item.get("OID") for item in children(version, "ItemDef")}
    for column in dataset.columns:
        if column.oid not in known:
            _add_item(version, dataset, column)


def _add_item(version: etree._Element, dataset: Outside, column: SentColumn) -> None:
    attributes = {"Name": column.name, "DataType": _TO_ODM.get(column.data_type, column.data_type)}
    is_number = column.data_type in NUMBERS or column.data_type == "decimal"
    if column.length is not None and not is_number:
        attributes["Length"] = str(column.length)
    item = _define(version, "ItemDef", column.oid, attributes)
    _describe(item, column.label or column.name)
    if values := dataset.codes.get(column.oid):
        _put(item, "CodeListRef", CodeListOID=f"CL.{column.oid}")
        kind = "text" if not is_number else attributes["DataType"]
        codes = _define(version, "CodeList", f"CL.{column.oid}", {"Name": column.name, "DataType": kind})
        for value in values:
            _put(codes, "EnumeratedItem", CodedValue=value)
    # A number's length is one of bytes in SAS, and no limit of its digits.
    more = {
        "dataType": column.data_type if column.data_type in _TO_ODM and column.data_type != "string" else None,
        "targetDataType": column.target_data_type,
        "length": str(column.length) if column.length is not None and is_number else None,
        "displayFormat": column.display_format,
    }
    for name, said in more.items():
        if said is not None:
            _put(item, "Alias", Context=f"{COLUMN_CONTEXT}{name}", Name=said)
    for column_name, mark in ((dataset.subject, SUBJECT), (dataset.visit, VISIT)):
        if column.name == column_name:
            _put(item, "Alias", Context=MARK_CONTEXT, Name=mark)


def _define(version: etree._Element, name: str, oid: str, attributes: Mapping[str, str]) -> etree._Element:
    """A new definition, behind the last one of its kind or of those that stand before it."""
    made = etree.Element(f"{{{NAMESPACE}}}{name}", {"OID": oid, **attributes})
    before = {f"{{{NAMESPACE}}}{one}" for one in _ORDER[: _ORDER.index(name) + 1]}
    place = max((index for index, one in enumerate(version, start=1) if one.tag in before), default=0)
    version.insert(place, made)
    return made


def _describe(element: etree._Element, label: str) -> None:
    _put(_put(element, "Description"), "TranslatedText", **{_XML_LANG: "en"}).text = label


def _put(parent: etree._Element, name: str, **attributes: str) -> etree._Element:
    return etree.SubElement(parent, f"{{{NAMESPACE}}}{name}", attributes)
