"""A Study element of ODM 1.3.2 as one of ODM 2.0."""

from collections.abc import Iterator

from lxml import etree

from keyfob.cdms.odm.elements import Maker, fill, words
from keyfob.cdms.odm.model import NAMESPACES, UNIT_SYSTEM, Edition
from keyfob.cdms.odm.xml import child, children, name_of

NAMESPACE = next(name for name, edition in NAMESPACES.items() if edition is Edition.V2)
_DATA_TYPES = {"float": "decimal"}
"""ODM 1.3.2's float is a decimal number; ODM 2.0's has an exponent."""
_PROTOCOL_EVENTS = "keyfob.protocol"
"""The OID of the event group that holds what a Protocol refers to."""
_REFERENCE = "OrderNumber Mandatory CollectionExceptionConditionOID"
_to = Maker(NAMESPACE, text_type="text/plain")


def study(source: etree._Element) -> etree._Element:
    variables = child(source, "GlobalVariables")
    said = {} if variables is None else {name_of(one): words(one) for one in variables}
    name = said.get("StudyName") or source.get("OID")
    made = _to.make("Study", OID=source.get("OID"), StudyName=name, ProtocolName=said.get("ProtocolName") or name)
    units = {
        unit.get("OID", ""): unit.get("Name", "")
        for basic in children(source, "BasicDefinitions")
        for unit in children(basic, "MeasurementUnit")
    }
    description = said.get("StudyDescription")
    described = [_to.described("Description", (None, description))] if description else []
    return fill(made, described, (_version(version, units) for version in children(source, "MetaDataVersion")))


def _version(source: etree._Element, units: dict[str, str]) -> etree._Element:
    described = source.get("Description")
    return fill(
        _to.like(source, "OID Name"),
        [_to.described("Description", (None, described))] if described else [],
        (_to.like(one, "StudyOID MetaDataVersionOID") for one in children(source, "Include")),
        _protocol(source),
        (_event(one) for one in children(source, "StudyEventDef")),
        _groups(source),
        (_item(one, units) for one in children(source, "ItemDef")),
        (_code_list(one) for one in children(source, "CodeList")),
        (_formal(one, "OID Name") for one in children(source, "ConditionDef")),
        (_formal(one, "OID Name Type") for one in children(source, "MethodDef")),
    )


def _protocol(version: etree._Element) -> Iterator[etree._Element]:
    source = child(version, "Protocol")
    if source is None:
        return
    events = [_to.like(one, f"StudyEventOID {_REFERENCE}") for one in children(source, "StudyEventRef")]
    reference = [_to.make("StudyEventGroupRef", StudyEventGroupOID=_PROTOCOL_EVENTS, Mandatory="Yes")] if events else []
    yield fill(_to.make("Protocol"), _to.texts(source, "Description"), reference, _to.aliases(source))
    if events:
        yield fill(_to.make("StudyEventGroupDef", OID=_PROTOCOL_EVENTS, Name="Protocol"), events)


def _event(source: etree._Element) -> etree._Element:
    made = _to.like(source, "OID Name Repeating Type Category")
    return fill(made, _to.texts(source, "Description"), _refer(source, "FormRef", "FormOID"), _to.aliases(source))


def _refer(source: etree._Element, name: str, oid: str) -> Iterator[etree._Element]:
    for one in children(source, name):
        more = {attribute: one.get(attribute) for attribute in _REFERENCE.split()}
        yield _to.make("ItemGroupRef", ItemGroupOID=one.get(oid), **more)


def _groups(version: etree._Element) -> Iterator[etree._Element]:
    for form in children(version, "FormDef"):
        oid = form.get("OID")
        made = _to.make("ItemGroupDef", OID=oid, Name=form.get("Name") or oid, Repeating=_repeating(form), Type="Form")
        references = _refer(form, "ItemGroupRef", "ItemGroupOID")
        yield fill(made, _to.texts(form, "Description"), references, _to.aliases(form))
    for group in children(version, "ItemGroupDef"):
        yield _group(group)


def _repeating(source: etree._Element) -> str:
    return "Simple" if source.get("Repeating") == "Yes" else "No"


def _group(source: etree._Element) -> etree._Element:
    made = _to.make(
        "ItemGroupDef", OID=source.get("OID"), Name=source.get("Name") or source.get("OID"),
        Repeating=_repeating(source), IsReferenceData=source.get("IsReferenceData"),
        DatasetName=source.get("SASDatasetName"), Domain=source.get("Domain"), Type="Section",
        Purpose=source.get("Purpose"),
    )  # fmt: skip
    former = _to.attributes_as_aliases(source, "Origin Role Comment")
    return fill(made, _to.texts(source, "Description"), _items(source), _to.aliases(source), former)


def _items(group: etree._Element) -> list[etree._Element]:
    attributes = f"ItemOID {_REFERENCE} KeySequence MethodOID Role RoleCodeListOID"
    return [_to.like(one, attributes) for one in children(group, "ItemRef")]


def _item(source: etree._Element, units: dict[str, str]) -> etree._Element:
    made = _to.like(source, "OID Name DataType Length")
    made.set("DataType", _DATA_TYPES.get(source.get("DataType", ""), source.get("DataType", "")))
    named = [one.get("MeasurementUnitOID", "") for one in children(source, "MeasurementUnitRef")]
    return fill(
        made,
        _to.texts(source, "Description", "Question"),
        (_range_check(one) for one in children(source, "RangeCheck") if _is_of_any_unit(one, named)),
        (_to.like(one, "CodeListOID") for one in children(source, "CodeListRef")),
        (_to.make("Coding", Code=one, System=UNIT_SYSTEM, Label=units.get(one) or one) for one in named),
        _to.aliases(source),
        _to.attributes_as_aliases(source, "SignificantDigits SASFieldName SDSVarName Origin Comment"),
    )


def _is_of_any_unit(check: etree._Element, units: list[str]) -> bool:
    """ODM 2.0 cannot say of which unit a check is: it can have those that hold in any that the item may have."""
    reference = child(check, "MeasurementUnitRef")
    return reference is None or [reference.get("MeasurementUnitOID")] == units


def _range_check(source: etree._Element) -> etree._Element:
    values = [_to.text("CheckValue", one.text or "") for one in children(source, "CheckValue")]
    made = _to.like(source, "Comparator SoftHard")
    return fill(made, values or _expressions(source), _to.texts(source, "ErrorMessage"))


def _expressions(source: etree._Element) -> list[etree._Element]:
    return [
        fill(_to.like(one, "Context"), [_to.text("Code", one.text or "")])
        for one in children(source, "FormalExpression")
    ]


def _code_list(source: etree._Element) -> etree._Element:
    made = _to.like(source, "OID Name DataType")
    made.set("DataType", _DATA_TYPES.get(source.get("DataType", ""), source.get("DataType", "")))
    items = [*children(source, "CodeListItem"), *children(source, "EnumeratedItem")]
    outside = [
        _to.make(
            "Coding", System=one.get("href") or f"urn:{one.get('Dictionary') or 'unknown'}", Code=one.get("ref"),
            SystemName=one.get("Dictionary"), SystemVersion=one.get("Version"), href=one.get("href"),
        )
        for one in children(source, "ExternalCodeList")
    ]  # fmt: skip
    coded = (
        fill(_to.like(one, "CodedValue Rank OrderNumber", "CodeListItem"), _to.texts(one, "Decode"), _to.aliases(one))
        for one in items
    )
    former = _to.attributes_as_aliases(source, "SASFormatName")
    return fill(made, _to.texts(source, "Description"), coded, outside, _to.aliases(source), former)


def _formal(source: etree._Element, attributes: str) -> etree._Element:
    """A ConditionDef or MethodDef: both need a signature, which 1.3.2 does not know."""
    made = _to.like(source, attributes)
    described = _to.texts(source, "Description") or [_to.described("Description", (None, source.get("Name", "")))]
    return fill(made, described, [_to.make("MethodSignature")], _expressions(source), _to.aliases(source))
