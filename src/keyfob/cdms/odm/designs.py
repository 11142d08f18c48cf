"""Study and MetaDataVersion elements as designs (ODM 1.3.2 §3.1.1 to §3.1.3)."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from lxml import etree

from keyfob.cdms.odm import datasets
from keyfob.cdms.odm.model import IDENTIFYING, MARK_CONTEXT, Container, Design, ItemDef, OdmError, RangeCheck
from keyfob.cdms.odm.xml import attribute, children, pointer, required

T = TypeVar("T", Container, ItemDef)

COMPARATORS = frozenset({"LT", "LE", "GT", "GE", "EQ", "NE", "IN", "NOTIN"})


def read_study(study: etree._Element) -> Iterator[Design]:
    """The designs of a Study element, one for each MetaDataVersion. Raises OdmError for what contradicts itself."""
    oid = required(study, "OID")
    if oid == "*":
        # It is the wildcard of authorization details: a study of that name could never be granted alone.
        raise OdmError("bad-study-oid", 'a study must not have the OID "*"', where=pointer(study))
    variables = next(iter(children(study, "GlobalVariables")), None)
    units = frozenset(
        required(unit, "OID")
        for basic in children(study, "BasicDefinitions")
        for unit in children(basic, "MeasurementUnit")
    )
    for version in children(study, "MetaDataVersion"):
        design = Design(
            study_oid=oid,
            study_name=_text(variables, "StudyName") or oid,
            protocol_name=_text(variables, "ProtocolName"),
            version_oid=required(version, "OID"),
            events=_containers(version, "StudyEventDef", "FormRef", "FormOID"),
            forms=_containers(version, "FormDef", "ItemGroupRef", "ItemGroupOID"),
            groups=_containers(version, "ItemGroupDef", "ItemRef", "ItemOID"),
            items=_once([_item(element) for element in children(version, "ItemDef")], version, "ItemDef"),
            code_lists=dict(_code_list(element) for element in children(version, "CodeList")),
            units=units,
        )
        _check_references(design, version)
        try:
            datasets.check(design)
        except ValueError as wrong:
            raise OdmError("bad-dataset", str(wrong), where=pointer(version)) from None
        yield design


def _containers(version: etree._Element, name: str, reference: str, oid: str) -> dict[str, Container]:
    found = [
        Container(
            oid=required(element, "OID"),
            name=element.get("Name", ""),
            repeating=element.get("Repeating") == "Yes",
            members={required(ref, oid): ref.get("Mandatory") == "Yes" for ref in children(element, reference)},
            label=_description(element),
            sas_name=element.get("SASDatasetName") or element.get("Domain") or "",
            keys={
                required(ref, oid): sequence
                for ref in children(element, reference)
                if (sequence := _number(ref, "KeySequence")) is not None
            },
            marks=_marks(element),
        )
        for element in children(version, name)
    ]
    return _once(found, version, name)


def _once(found: list[T], version: etree._Element, name: str) -> dict[str, T]:
    by_oid = {one.oid: one for one in found}
    if len(by_oid) != len(found):
        raise OdmError("duplicate-oid", f"an OID of {name} is defined twice", where=pointer(version))
    return by_oid


def _item(element: etree._Element) -> ItemDef:
    marks = _marks(element)
    code_list = next(iter(children(element, "CodeListRef")), None)
    return ItemDef(
        oid=required(element, "OID"),
        name=element.get("Name", ""),
        data_type=required(element, "DataType"),
        length=_number(element, "Length"),
        significant_digits=_number(element, "SignificantDigits"),
        code_list=None if code_list is None else required(code_list, "CodeListOID"),
        units=tuple(required(unit, "MeasurementUnitOID") for unit in children(element, "MeasurementUnitRef")),
        range_checks=tuple(
            check for one in children(element, "RangeCheck") if (check := _range_check(one)) is not None
        ),
        identifying=IDENTIFYING in marks,
        label=_description(element) or _translated(element, "Question"),
        sas_name=element.get("SASFieldName", ""),
        aliases={alias.get("Context", ""): alias.get("Name", "") for alias in children(element, "Alias")},
        marks=marks,
    )


def _marks(element: etree._Element) -> frozenset[str]:
    named = [alias for alias in children(element, "Alias") if alias.get("Context") == MARK_CONTEXT]
    return frozenset(alias.get("Name", "") for alias in named)


def _description(element: etree._Element) -> str:
    return _translated(element, "Description")


def _translated(element: etree._Element, name: str) -> str:
    """The first text of a Description or Question: the study's own language stands first."""
    for described in children(element, name):
        return _text(described, "TranslatedText")
    return ""


def _range_check(element: etree._Element) -> RangeCheck | None:
    """None for a check in a programming language (FormalExpression): scripts are not run here."""
    comparator = element.get("Comparator")
    values = tuple(value.text or "" for value in children(element, "CheckValue"))
    if comparator is None or not values:
        return None
    if comparator not in COMPARATORS:
        raise OdmError("bad-comparator", "a Comparator is none of ODM's", where=pointer(element))
    return RangeCheck(comparator, element.get("SoftHard", "Soft") == "Hard", values)


def _code_list(element: etree._Element) -> tuple[str, tuple[str, ...]]:
    coded = [*children(element, "CodeListItem"), *children(element, "EnumeratedItem")]
    return required(element, "OID"), tuple(value for one in coded if (value := one.get("CodedValue")) is not None)


def _check_references(design: Design, version: etree._Element) -> None:
    levels: tuple[tuple[Mapping[str, Container], Mapping[str, object], str], ...] = (
        (design.events, design.forms, "form"),
        (design.forms, design.groups, "item group"),
        (design.groups, design.items, "item"),
    )
    for containers, targets, what in levels:
        for container in containers.values():
            for oid in container.members:
                if oid not in targets:
                    raise OdmError(
                        "unknown-oid", f"{container.oid} refers to the {what} {oid}, which is not defined",
                        where=pointer(version),
                    )  # fmt: skip
    for item in design.items.values():
        if item.code_list is not None and item.code_list not in design.code_lists:
            raise OdmError(
                "unknown-oid", f"{item.oid} refers to a code list that is not defined", where=pointer(version)
            )
        if not set(item.units) <= design.units:
            raise OdmError("unknown-oid", f"{item.oid} refers to a unit that is not defined", where=pointer(version))


def _text(parent: etree._Element | None, name: str) -> str:
    found = [] if parent is None else children(parent, name)
    return (found[0].text or "").strip() if found else ""


def _number(element: etree._Element, name: str) -> int | None:
    text = attribute(element, name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise OdmError("bad-attribute", f"{name} is no whole number", where=pointer(element))
    return int(text)
