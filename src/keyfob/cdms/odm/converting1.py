"""A Study element of ODM 2.0 as one of ODM 1.3.2: nested item groups become a form's own."""

from collections.abc import Iterator

from lxml import etree

from keyfob.cdms.odm.designs2 import flat, holds_items, repeats
from keyfob.cdms.odm.elements import Maker, fill, former_attributes, words
from keyfob.cdms.odm.model import NAMESPACE, UNIT_SYSTEM
from keyfob.cdms.odm.xml import child, children

_REFERENCE = "OrderNumber Mandatory CollectionExceptionConditionOID"
_DATA_TYPES = {"decimal": "float", "float": "double"}
_CODE_LIST_TYPES = {"decimal": "float"}
_to = Maker(NAMESPACE, text_type=None)


def study(source: etree._Element) -> etree._Element:
    variables = fill(
        _to.make("GlobalVariables"),
        [_to.text("StudyName", source.get("StudyName") or source.get("OID") or "")],
        [_to.text("StudyDescription", words(child(source, "Description")))],
        [_to.text("ProtocolName", source.get("ProtocolName") or source.get("OID") or "")],
    )
    return fill(
        _to.like(source, "OID"),
        [variables],
        _units(source),
        (_version(version) for version in children(source, "MetaDataVersion")),
    )


def _units(source: etree._Element) -> Iterator[etree._Element]:
    named = {
        str(coding.get("Code")): str(coding.get("Label") or coding.get("Code"))
        for version in children(source, "MetaDataVersion")
        for item in children(version, "ItemDef")
        for coding in _unit_codings(item)
    }
    if named:
        yield fill(
            _to.make("BasicDefinitions"),
            (
                fill(_to.make("MeasurementUnit", OID=oid, Name=name), [_to.described("Symbol", (None, name))])
                for oid, name in named.items()
            ),
        )


def _unit_codings(item: etree._Element) -> list[etree._Element]:
    return [coding for coding in children(item, "Coding") if coding.get("System") == UNIT_SYSTEM]


def _version(source: etree._Element) -> etree._Element:
    made = _to.like(source, "OID Name")
    described = words(child(source, "Description"))
    if described:
        made.set("Description", described)
    groups = {one.get("OID", ""): one for one in children(source, "ItemGroupDef")}
    events = children(source, "StudyEventDef")
    forms = {one.get("ItemGroupOID", "") for event in events for one in children(event, "ItemGroupRef")}
    forms |= {oid for oid, one in groups.items() if one.get("Type") == "Form"}
    return fill(
        made,
        _protocol(source),
        (_event(one) for one in events),
        (_form(groups, one) for oid, one in groups.items() if oid in forms),
        (
            _group(one)
            for oid, one in groups.items()
            if children(one, "ItemRef") or (oid not in forms and holds_items(one))
        ),
        (_item(one) for one in children(source, "ItemDef")),
        (_code_list(one) for one in children(source, "CodeList")),
        (_formal(one, "OID Name") for one in children(source, "ConditionDef")),
        (_formal(one, "OID Name Type") for one in children(source, "MethodDef")),
    )


def _protocol(version: etree._Element) -> Iterator[etree._Element]:
    source = child(version, "Protocol")
    if source is None:
        return
    defined = {one.get("OID", ""): one for one in children(version, "StudyEventGroupDef")}
    waiting = [one.get("StudyEventGroupOID", "") for one in children(source, "StudyEventGroupRef")]
    seen: set[str] = set()
    events: list[etree._Element] = []
    while waiting:
        oid = waiting.pop(0)
        if oid in defined and oid not in seen:
            seen.add(oid)
            waiting += [one.get("StudyEventGroupOID", "") for one in children(defined[oid], "StudyEventGroupRef")]
            events += [_to.like(one, f"StudyEventOID {_REFERENCE}") for one in children(defined[oid], "StudyEventRef")]
    yield fill(_to.make("Protocol"), _to.texts(source, "Description"), events, _to.aliases(source))


def _event(source: etree._Element) -> etree._Element:
    forms = [_reference("FormRef", "FormOID", one) for one in children(source, "ItemGroupRef")]
    made = _to.like(source, "OID Name Repeating Type Category")
    return fill(made, _to.texts(source, "Description"), forms, _to.aliases(source))


def _reference(name: str, oid: str, source: etree._Element) -> etree._Element:
    found = {one: source.get(one) for one in _REFERENCE.split()}
    return _to.make(name, **{oid: source.get("ItemGroupOID")}, **found)


def _form(groups: dict[str, etree._Element], source: etree._Element) -> etree._Element:
    direct = {one.get("ItemGroupOID"): one for one in children(source, "ItemGroupRef")}
    own = [_to.make("ItemGroupRef", ItemGroupOID=source.get("OID"), Mandatory="No")]
    references = [
        _reference("ItemGroupRef", "ItemGroupOID", direct[oid]) if not path
        else _to.make("ItemGroupRef", ItemGroupOID=oid, Mandatory="Yes" if mandatory else "No")
        for path, oid, mandatory in flat(groups, source)
    ]  # fmt: skip
    return fill(
        _named("FormDef", source),
        _to.texts(source, "Description"),
        own if children(source, "ItemRef") else [],
        references,
        _to.aliases(source),
    )


def _named(name: str, source: etree._Element, **more: str | None) -> etree._Element:
    repeating = "Yes" if repeats(source) else "No"
    oid = source.get("OID")
    return _to.make(name, OID=oid, Name=source.get("Name") or oid, Repeating=repeating, **more)


def _group(source: etree._Element) -> etree._Element:
    made = _named(
        "ItemGroupDef", source, IsReferenceData=source.get("IsReferenceData"),
        SASDatasetName=source.get("DatasetName"), Domain=source.get("Domain"), Purpose=source.get("Purpose"),
        **former_attributes(source, "Origin Role Comment"),
    )  # fmt: skip
    attributes = f"ItemOID {_REFERENCE} KeySequence MethodOID Role RoleCodeListOID"
    items = [_to.like(one, attributes) for one in children(source, "ItemRef")]
    return fill(made, _to.texts(source, "Description"), items, _to.aliases(source, former=False))


def _item(source: etree._Element) -> etree._Element:
    data_type = source.get("DataType", "")
    oid = source.get("OID")
    made = _to.make(
        "ItemDef", OID=oid, Name=source.get("Name") or oid, DataType=_DATA_TYPES.get(data_type, data_type),
        Length=source.get("Length"),
        **former_attributes(source, "SignificantDigits SASFieldName SDSVarName Origin Comment"),
    )  # fmt: skip
    checks = [one for one in children(source, "RangeCheck") if one.get("ItemOID") in (None, oid)]
    return fill(
        made,
        _to.texts(source, "Description", "Question"),
        (_to.make("MeasurementUnitRef", MeasurementUnitOID=one.get("Code")) for one in _unit_codings(source)),
        (check for one in checks for check in _range_check(one)),
        (_to.like(one, "CodeListOID") for one in children(source, "CodeListRef")),
        _to.aliases(source, former=False),
    )


def _range_check(source: etree._Element) -> Iterator[etree._Element]:
    """Nothing of one whose expression stands in a library elsewhere."""
    values = [_to.text("CheckValue", one.text or "") for one in children(source, "CheckValue")]
    said = values or _expressions(source)
    if said:
        made = _to.make("RangeCheck", Comparator=source.get("Comparator"), SoftHard=source.get("SoftHard") or "Soft")
        yield fill(made, said, _to.texts(source, "ErrorMessage"))


def _expressions(source: etree._Element) -> list[etree._Element]:
    found = [(one, child(one, "Code")) for one in children(source, "FormalExpression")]
    made = [(_to.like(one, "Context"), code) for one, code in found if code is not None]
    for one, code in made:
        one.text = code.text
    return [one for one, _ in made]


def _code_list(source: etree._Element) -> etree._Element:
    oid, data_type = source.get("OID"), source.get("DataType", "")
    made = _to.make(
        "CodeList", OID=oid, Name=source.get("Name") or oid, DataType=_CODE_LIST_TYPES.get(data_type, data_type),
        **former_attributes(source, "SASFormatName"),
    )  # fmt: skip
    coded = children(source, "CodeListItem")
    is_decoded = any(_to.texts(one, "Decode") for one in coded)
    items = [
        fill(
            _to.like(one, "CodedValue Rank OrderNumber", "CodeListItem" if is_decoded else "EnumeratedItem"),
            (_to.texts(one, "Decode") or [_to.described("Decode", (None, one.get("CodedValue", "")))])
            if is_decoded else [],
            _to.aliases(one),
        )
        for one in coded
    ]  # fmt: skip
    return fill(made, _to.texts(source, "Description"), items or [_outside(source)], _to.aliases(source, former=False))


def _outside(source: etree._Element) -> etree._Element:
    coding = child(source, "Coding")
    if coding is None:
        return _to.make("ExternalCodeList")
    return _to.make(
        "ExternalCodeList", Dictionary=coding.get("SystemName") or coding.get("System"),
        Version=coding.get("SystemVersion"), href=coding.get("href"), ref=coding.get("Code"),
    )  # fmt: skip


def _formal(source: etree._Element, attributes: str) -> etree._Element:
    made = _to.like(source, attributes)
    described = _to.texts(source, "Description") or [_to.described("Description", (None, source.get("Name", "")))]
    return fill(made, described, _expressions(source), _to.aliases(source))
