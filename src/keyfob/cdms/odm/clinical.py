"""ClinicalData elements as values, of both editions: ODM 1.3.2 §3.1.4, and ODM 2.0, where a form is an item group."""

from collections import Counter
from collections.abc import Iterator

from lxml import etree

from keyfob.cdms.odm.model import (
    UNIT_SYSTEM,
    ClinicalData,
    Edition,
    Finding,
    GroupData,
    ItemValue,
    OdmError,
    SubjectData,
)
from keyfob.cdms.odm.xml import attribute, child, children, line_of, name_of, pointer, required

TRANSACTIONS = frozenset({"Insert", "Update", "Upsert", "Remove", "Context"})
_ITEM_DATA = "ItemData"
_Placed = tuple[etree._Element, str]


def read_clinical(element: etree._Element, edition: Edition) -> ClinicalData:
    """One ClinicalData element. Raises OdmError."""
    where = pointer(element)
    if children(element, "ItemGroupData"):
        raise OdmError(
            "no-subject", "item groups without a subject are not stored", where=where, line=line_of(element), status=422
        )
    return ClinicalData(
        study_oid=required(element, "StudyOID"),
        version_oid=required(element, "MetaDataVersionOID"),
        subjects=tuple(_subject(subject, at, edition) for subject, at in _placed(element, "SubjectData", where)),
        where=where,
        line=line_of(element),
    )


def _placed(parent: etree._Element, name: str, where: str) -> Iterator[_Placed]:
    """The children of that name, each with its pointer: counted on the way, since counting back is quadratic."""
    for place, element in enumerate(children(parent, name), start=1):
        yield element, f"{where}/{name}[{place}]"


def _subject(element: etree._Element, where: str, edition: Edition) -> SubjectData:
    site = child(element, "SiteRef")
    groups: list[GroupData] = []
    found = [*_unnamed_removal(element, "StudyEventData", where)]
    for event, in_event in _placed(element, "StudyEventData", where):
        for form, in_form in _placed(event, "FormData" if edition is Edition.V1 else "ItemGroupData", in_event):
            if edition is Edition.V1:
                groups += _groups(form, event, element, in_form)
                found += _unnamed_removal(form, "ItemGroupData", in_form)
            else:
                groups += _nested((form, event, element), in_form)
        found += _unnamed_removal(event, "FormData" if edition is Edition.V1 else "ItemGroupData", in_event)
    return SubjectData(
        key=required(element, "SubjectKey"),
        site=None if site is None else required(site, "LocationOID"),
        transaction=_transaction(element),
        groups=tuple(groups),
        found=tuple(found),
        where=where,
        line=line_of(element),
    )


def _unnamed_removal(element: etree._Element, below: str, where: str) -> Iterator[Finding]:
    """A removal that names no item group would be taken for done by its sender."""
    if _transaction(element) == "Remove" and not children(element, below):
        yield Finding("removal-unnamed", "a removal names each item group that is to go", where, line_of(element))


def _groups(form: etree._Element, event: etree._Element, subject: etree._Element, where: str) -> Iterator[GroupData]:
    for group, in_group in _placed(form, "ItemGroupData", where):
        yield _group((group, form, event, subject), "FormOID", "FormRepeatKey", in_group)


def _nested(chain: tuple[etree._Element, ...], where: str) -> Iterator[GroupData]:
    """`chain`: an item group and what it stands in, from the inside out. Groups that only hold groups are no data."""
    group = chain[0]
    below = list(_placed(group, "ItemGroupData", where))
    if not below or any(name_of(one).startswith(_ITEM_DATA) for one in group):
        yield _group(chain, "ItemGroupOID", "ItemGroupRepeatKey", where)
    for inner, at in below:
        yield from _nested((inner, *chain), at)


def _group(chain: tuple[etree._Element, ...], form_oid: str, form_repeat: str, where: str) -> GroupData:
    """The group that stands first in `chain`, which ends with form, event and subject; in 2.0 it may be the form."""
    *between, form, event, _ = chain
    group = between[0] if between else form
    for outer in between[1:]:
        if outer.get("ItemGroupRepeatKey") is not None:
            raise OdmError(
                "nested-repeat",
                "an item group that holds item groups has no repeat key here",
                where=where,
                line=line_of(outer),
                status=422,
            )
    return GroupData(
        event=required(event, "StudyEventOID"),
        event_repeat=attribute(event, "StudyEventRepeatKey"),
        form=required(form, form_oid),
        form_repeat=attribute(form, form_repeat),
        group=required(group, "ItemGroupOID"),
        group_repeat=attribute(group, "ItemGroupRepeatKey") if between else None,
        # ODM 1.3.2 §3.1.4.1: the nearest TransactionType at or above an element holds for it.
        transaction=next((found for one in chain if (found := _transaction(one)) is not None), None),
        items=tuple(_items(group, where)),
        reason=next((found for one in chain if (found := _reason(one)) is not None), None),
        within=None if form_oid == "FormOID" else tuple(required(one, "ItemGroupOID") for one in reversed(between[1:])),
        where=where,
        line=line_of(group),
    )


def _items(group: etree._Element, where: str) -> Iterator[ItemValue]:
    counted: Counter[str] = Counter()
    for element in group:
        name = name_of(element)
        if not name.startswith(_ITEM_DATA):
            continue
        counted[name] += 1
        yield _item(element, name, f"{where}/{name}[{counted[name]}]")


def _item(element: etree._Element, name: str, where: str) -> ItemValue:
    is_null = element.get("IsNull") == "Yes"
    value = _value(element, name, where)
    transaction = _transaction(element)
    return ItemValue(
        oid=required(element, "ItemOID"),
        value=None if is_null else value,
        unit=_unit(element),
        contradicts=transaction not in ("Remove", "Context") and is_null == (value is not None),
        transaction=transaction,
        reason=_reason(element),
        where=where,
        line=line_of(element),
    )


def _value(element: etree._Element, name: str, where: str) -> str | None:
    if name != _ITEM_DATA:
        # ODM 1.3.2 §3.1.4.1.1.1.1.2: typed ItemData (ItemDataString …) hold the value as their content.
        return element.text or (None if element.get("IsNull") == "Yes" else "")
    # ODM 2.0 §ODM-clinicaldata: the value is an element, and there may be several.
    values = children(element, "Value")
    if len(values) > 1:
        message = "an item of several values is not stored"
        raise OdmError("several-values", message, where=where, line=line_of(element), status=422)
    return values[0].text or "" if values else element.get("Value")


def _unit(element: etree._Element) -> str | None:
    reference = child(element, "MeasurementUnitRef")
    if reference is not None:
        return required(reference, "MeasurementUnitOID")
    for annotation in children(element, "Annotation"):
        for coding in children(annotation, "Coding"):
            if coding.get("System") == UNIT_SYSTEM:
                return required(coding, "Code")
    return attribute(element, "MeasurementUnitOID")  # as typed ItemData say it


def _reason(element: etree._Element) -> str | None:
    """ODM 1.3.2 §3.1.4.2: the ReasonForChange of its AuditRecord."""
    for record in children(element, "AuditRecord"):
        for reason in children(record, "ReasonForChange"):
            if reason.text and reason.text.strip():
                return str(reason.text).strip()
    return None


def _transaction(element: etree._Element) -> str | None:
    found = element.get("TransactionType")
    if found is not None and found not in TRANSACTIONS:
        raise OdmError(
            "bad-transaction", "TransactionType is none of ODM's", where=pointer(element), line=line_of(element)
        )
    return found
