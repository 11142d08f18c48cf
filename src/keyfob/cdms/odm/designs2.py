"""Study elements of ODM 2.0 as designs. Its forms are item groups, and item groups may stand in item groups.

A form is what an event refers to, or says that it is one. Below it the groups that hold items are the form's, whatever
stands between: each of them is found by its OID alone, so that a form has it once, and only the last may repeat.
"""

from collections.abc import Iterator

from lxml import etree

from keyfob.cdms.odm import designs
from keyfob.cdms.odm.elements import FORMER
from keyfob.cdms.odm.model import UNIT_SYSTEM, Container, Design, ItemDef, OdmError
from keyfob.cdms.odm.xml import children, pointer, required

_AS_IN_1_3_2 = {"decimal": "float", "float": "double"}
"""ODM 1.3.2's float is a decimal number; ODM 2.0's has an exponent."""


def read_study(study: etree._Element) -> Iterator[Design]:
    """See designs.read_study."""
    oid = designs.study_oid(study)
    for version in children(study, "MetaDataVersion"):
        groups = _once(children(version, "ItemGroupDef"), version)
        events = designs.containers(version, "StudyEventDef", "ItemGroupRef", "ItemGroupOID")
        items = [_item(element) for element in children(version, "ItemDef")]
        forms = {form for event in events.values() for form in event.members}
        forms |= {one for one, element in groups.items() if element.get("Type") == "Form"}
        nesting: dict[tuple[str, str], tuple[str, ...]] = {}
        design = Design(
            study_oid=oid,
            study_name=study.get("StudyName") or oid,
            protocol_name=study.get("ProtocolName", ""),
            version_oid=required(version, "OID"),
            events=events,
            forms={one: _form(groups, one, nesting) for one in groups if one in forms},
            groups={
                one: designs.item_group(element, repeating=repeats(element))
                for one, element in groups.items()
                if children(element, "ItemRef") or (one not in forms and holds_items(element))
            },
            items=designs.once(items, version, "ItemDef"),
            code_lists=dict(designs.code_list(element) for element in children(version, "CodeList")),
            units=frozenset(unit for item in items for unit in item.units),
            nesting=nesting,
        )
        designs.check_references(design, version)
        yield design


def repeats(element: etree._Element) -> bool:
    """Simple, Static and Dynamic are ways to repeat."""
    return element.get("Repeating", "No") != "No"


def holds_items(group: etree._Element) -> bool:
    """Whether it is one of a form's groups; one that holds nothing is."""
    return bool(children(group, "ItemRef")) or not children(group, "ItemGroupRef")


def _once(elements: list[etree._Element], version: etree._Element) -> dict[str, etree._Element]:
    by_oid = {required(element, "OID"): element for element in elements}
    if len(by_oid) != len(elements):
        raise OdmError("duplicate-oid", "an OID of ItemGroupDef is defined twice", where=pointer(version))
    return by_oid


def _form(groups: dict[str, etree._Element], oid: str, nesting: dict[tuple[str, str], tuple[str, ...]]) -> Container:
    form = groups[oid]
    members: dict[str, bool] = {oid: False} if children(form, "ItemRef") else {}
    for path, group, mandatory in flat(groups, form):
        members[group] = mandatory
        if path:
            nesting[oid, group] = path
    return Container(oid, form.get("Name", ""), repeats(form), members)


def flat(groups: dict[str, etree._Element], form: etree._Element) -> Iterator[tuple[tuple[str, ...], str, bool]]:
    """The groups below a form that hold items: the OIDs between, the group's, and whether all that way is mandatory.

    Raises OdmError for a group that stands twice, in itself, below one that repeats, or that is not defined.
    """
    seen: set[str] = set()
    waiting: list[tuple[tuple[str, ...], etree._Element, bool]] = [((), form, True)]
    while waiting:
        path, outer, on_the_way = waiting.pop(0)
        if path and repeats(outer) and children(outer, "ItemGroupRef"):
            message = f"{path[-1]} repeats and holds item groups: that cannot be stored"
            raise OdmError("nested-repeat", message, where=pointer(outer))
        inner: list[tuple[tuple[str, ...], etree._Element, bool]] = []
        for reference in children(outer, "ItemGroupRef"):
            oid = required(reference, "ItemGroupOID")
            group = groups.get(oid)
            if group is None:
                message = f"{outer.get('OID')} refers to the item group {oid}, which is not defined"
                raise OdmError("unknown-oid", message, where=pointer(outer))
            if oid in seen or oid == form.get("OID"):
                raise OdmError("ambiguous-nesting", f"{oid} stands twice in {form.get('OID')}", where=pointer(outer))
            seen.add(oid)
            mandatory = on_the_way and reference.get("Mandatory") == "Yes"
            if holds_items(group):
                yield path, oid, mandatory
            inner.append(((*path, oid), group, mandatory))
        waiting[:0] = inner


def _item(element: etree._Element) -> ItemDef:
    data_type = required(element, "DataType")
    former = {alias.get("Context"): alias for alias in children(element, "Alias")}
    digits = former.get(FORMER + "SignificantDigits")
    own = [one for one in children(element, "RangeCheck") if one.get("ItemOID") in (None, element.get("OID"))]
    return designs.item(
        element,
        data_type=_AS_IN_1_3_2.get(data_type, data_type),
        significant_digits=None if digits is None else designs.number(digits, "Name"),
        units=tuple(
            required(coding, "Code") for coding in children(element, "Coding") if coding.get("System") == UNIT_SYSTEM
        ),
        range_checks=own,
    )
