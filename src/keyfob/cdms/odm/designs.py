"""Study and MetaDataVersion elements as designs (ODM 1.3.2 §3.1.1 to §3.1.3)."""

from collections.abc import Iterator, Mapping
from typing import TypeVar

from lxml import etree

from keyfob.cdms.odm import datasets
from keyfob.cdms.odm.elements import LANGUAGE, former_attributes, words
from keyfob.cdms.odm.model import (
    COLUMN_CONTEXT,
    IDENTIFYING,
    MARK_CONTEXT,
    Container,
    Design,
    ItemDef,
    OdmError,
    RangeCheck,
)
from keyfob.cdms.odm.xml import attribute, child, children, pointer, required
from keyfob.cdms.segments import is_segment

T = TypeVar("T", Container, ItemDef)

COMPARATORS = frozenset({"LT", "LE", "GT", "GE", "EQ", "NE", "IN", "NOTIN"})


def study_oid(study: etree._Element) -> str:
    """Raises OdmError."""
    oid = required(study, "OID")
    if oid == "*":
        # It is the wildcard of authorization details: a study of that name could never be granted alone.
        raise OdmError("bad-study-oid", 'a study must not have the OID "*"', where=pointer(study))
    return oid


def read_study(study: etree._Element) -> Iterator[Design]:
    """The designs of a Study element, one for each MetaDataVersion. Raises OdmError for what contradicts itself."""
    oid = study_oid(study)
    variables = child(study, "GlobalVariables")
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
            events=containers(version, "StudyEventDef", "FormRef", "FormOID"),
            forms=containers(version, "FormDef", "ItemGroupRef", "ItemGroupOID"),
            groups=once(
                [
                    item_group(element, repeating=element.get("Repeating") == "Yes")
                    for element in children(version, "ItemGroupDef")
                ],
                version,
                "ItemGroupDef",
            ),
            items=once([_item(element) for element in children(version, "ItemDef")], version, "ItemDef"),
            code_lists=dict(code_list(element) for element in children(version, "CodeList")),
            units=units,
        )
        check_references(design, version)
        yield design


def containers(version: etree._Element, name: str, reference: str, oid: str) -> dict[str, Container]:
    found = [
        Container(
            oid=required(element, "OID"),
            name=element.get("Name", ""),
            repeating=element.get("Repeating") == "Yes",
            members={required(ref, oid): ref.get("Mandatory") == "Yes" for ref in children(element, reference)},
        )
        for element in children(version, name)
    ]
    return once(found, version, name)


def item_group(element: etree._Element, *, repeating: bool) -> Container:
    """An ItemGroupDef of either edition that holds items."""
    items = children(element, "ItemRef")
    return Container(
        oid=required(element, "OID"),
        name=element.get("Name", ""),
        repeating=repeating,
        members={required(one, "ItemOID"): one.get("Mandatory") == "Yes" for one in items},
        label=_translated(element, "Description"),
        sas_name=element.get("SASDatasetName") or element.get("DatasetName") or element.get("Domain") or "",
        keys={required(one, "ItemOID"): key for one in items if (key := number(one, "KeySequence")) is not None},
        marks=_marks(element),
    )


def once(found: list[T], version: etree._Element, name: str) -> dict[str, T]:
    by_oid = {one.oid: one for one in found}
    if len(by_oid) != len(found):
        raise OdmError("duplicate-oid", f"an OID of {name} is defined twice", where=pointer(version))
    return by_oid


def _item(element: etree._Element) -> ItemDef:
    return item(
        element,
        data_type=required(element, "DataType"),
        significant_digits=number(element, "SignificantDigits"),
        units=tuple(required(unit, "MeasurementUnitOID") for unit in children(element, "MeasurementUnitRef")),
        range_checks=children(element, "RangeCheck"),
    )


def item(
    element: etree._Element, *, data_type: str, significant_digits: int | None, units: tuple[str, ...],
    range_checks: list[etree._Element],
) -> ItemDef:  # fmt: skip
    """An ItemDef of either edition; what they say differently is given."""
    marks = _marks(element)
    code_list = child(element, "CodeListRef")
    return ItemDef(
        oid=required(element, "OID"),
        name=element.get("Name", ""),
        data_type=data_type,
        length=number(element, "Length"),
        significant_digits=significant_digits,
        code_list=None if code_list is None else required(code_list, "CodeListOID"),
        units=units,
        range_checks=tuple(check for one in range_checks if (check := _range_check(one, units)) is not None),
        identifying=IDENTIFYING in marks,
        label=_translated(element, "Description") or _translated(element, "Question"),
        sas_name=element.get("SASFieldName") or former_attributes(element, "SASFieldName").get("SASFieldName", ""),
        column={
            context.removeprefix(COLUMN_CONTEXT): alias.get("Name", "")
            for alias in children(element, "Alias")
            if (context := alias.get("Context", "")).startswith(COLUMN_CONTEXT)
        },
        marks=marks,
    )


def _marks(element: etree._Element) -> frozenset[str]:
    named = [alias for alias in children(element, "Alias") if alias.get("Context") == MARK_CONTEXT]
    return frozenset(alias.get("Name", "") for alias in named)


def _translated(element: etree._Element, name: str) -> str:
    """The text of a Description or Question in the language that stands first, which is the study's own."""
    found = child(element, name)
    texts = [] if found is None else children(found, "TranslatedText")
    # ODM 2.0 may have a language twice, as plain text and as XHTML.
    by_language = {text.get(LANGUAGE): words(text) for text in texts}
    return next(iter(by_language.values()), "")


def _range_check(element: etree._Element, units: tuple[str, ...]) -> RangeCheck | None:
    """None for one in a programming language (FormalExpression: scripts are not run here), or in none of the units."""
    reference = child(element, "MeasurementUnitRef")
    unit = None if reference is None else required(reference, "MeasurementUnitOID")
    if unit is not None and unit not in units:
        return None
    comparator = element.get("Comparator")
    values = tuple(value.text or "" for value in children(element, "CheckValue"))
    if comparator is None or not values:
        return None
    if comparator not in COMPARATORS:
        raise OdmError("bad-comparator", "a Comparator is none of ODM's", where=pointer(element))
    is_hard = element.get("SoftHard", "Soft") == "Hard"
    return RangeCheck(comparator, is_hard, values, unit if len(units) > 1 else None)


def code_list(element: etree._Element) -> tuple[str, tuple[str, ...]]:
    coded = [*children(element, "CodeListItem"), *children(element, "EnumeratedItem")]
    return required(element, "OID"), tuple(value for one in coded if (value := one.get("CodedValue")) is not None)


def check_references(design: Design, version: etree._Element) -> None:
    named = [design.version_oid, *design.events, *design.forms, *design.groups]
    if not all(is_segment(oid) for oid in named):
        message = "an OID of a version, event, form or item group holds what a URL's path cannot (a slash, for one)"
        raise OdmError("bad-oid", message, where=pointer(version), status=422)
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
                "unknown-oid",
                f"{item.oid} refers to the code list {item.code_list}, which is not defined",
                where=pointer(version),
            )
        if not set(item.units) <= design.units:
            raise OdmError("unknown-oid", f"{item.oid} refers to a unit that is not defined", where=pointer(version))
    try:
        datasets.check(design)
    except ValueError as wrong:
        raise OdmError("bad-dataset", str(wrong), where=pointer(version)) from None


def _text(parent: etree._Element | None, name: str) -> str:
    found = [] if parent is None else children(parent, name)
    return (found[0].text or "").strip() if found else ""


def number(element: etree._Element, name: str) -> int | None:
    text = attribute(element, name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise OdmError("bad-attribute", f"{name} is no whole number", where=pointer(element))
    return int(text)
