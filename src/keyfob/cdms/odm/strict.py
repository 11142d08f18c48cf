"""Clinical data as the schemas of ODM 1.3.2 and 2.0 want them, for who asks for it: what stands where, and how often.

Reading takes all that can be understood. This says what a validator would: it knows the elements that hold clinical
data, and leaves the rest of a document alone.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from lxml import etree

from keyfob.cdms.odm.model import Edition, Finding
from keyfob.cdms.odm.xml import line_of, name_of, pointer

_SAME_IN_ALL = "{http://www.w3.org/XML/1998/namespace}"


@dataclass(frozen=True, slots=True)
class _Content:
    """`below`: elements in their order, those that may stand more than once with a `*`. `needs`: attributes."""

    below: str = ""
    needs: str = ""
    may: str = ""
    any_order: bool = field(default=False, kw_only=True)

    @property
    def order(self) -> Mapping[str, int]:
        return {name.rstrip("*"): place for place, name in enumerate(self.below.split())}

    @property
    def several(self) -> frozenset[str]:
        return frozenset(name[:-1] for name in self.below.split() if name.endswith("*"))


_TYPED = " ".join(
    f"ItemData{kind}*" for kind in (
        "Any", "String", "Integer", "Float", "Date", "Time", "Datetime", "Boolean", "HexBinary", "Base64Binary",
        "HexFloat", "Base64Float", "PartialDate", "PartialTime", "PartialDatetime", "DurationDatetime",
        "IntervalDatetime", "IncompleteDatetime", "IncompleteDate", "IncompleteTime", "URI", "Double",
    )
)  # fmt: skip
_ITEM_1 = _Content("AuditRecord Signature MeasurementUnitRef Annotation*", "ItemOID", "TransactionType IsNull Value")
_AUDIT = _Content("UserRef LocationRef DateTimeStamp ReasonForChange SourceID", "", "EditPoint UsedImputationMethod ID")
_V1 = {
    "ClinicalData": _Content("SubjectData* AuditRecords* Signatures* Annotations*", "StudyOID MetaDataVersionOID"),
    "SubjectData": _Content(
        "AuditRecord Signature InvestigatorRef SiteRef Annotation* StudyEventData*", "SubjectKey", "TransactionType"
    ),
    "StudyEventData": _Content(
        "AuditRecord Signature Annotation* FormData*", "StudyEventOID", "StudyEventRepeatKey TransactionType"
    ),
    "FormData": _Content(
        "AuditRecord Signature ArchiveLayoutRef Annotation* ItemGroupData*", "FormOID", "FormRepeatKey TransactionType"
    ),
    "ItemGroupData": _Content(
        f"AuditRecord Signature Annotation* ItemData* {_TYPED}", "ItemGroupOID", "ItemGroupRepeatKey TransactionType"
    ),
    "ItemData": _ITEM_1,
    "AuditRecord": _AUDIT,
    "SiteRef": _Content("", "LocationOID"),
    "MeasurementUnitRef": _Content("", "MeasurementUnitOID"),
}
_ENDING = "AuditRecord Signature Annotation* Query*"
_V2 = {
    "ClinicalData": _Content(f"SubjectData* ItemGroupData* {_ENDING}", "StudyOID MetaDataVersionOID"),
    "SubjectData": _Content(f"InvestigatorRef SiteRef StudyEventData* {_ENDING}", "SubjectKey", "TransactionType"),
    "StudyEventData": _Content(f"ItemGroupData* {_ENDING}", "StudyEventOID", "StudyEventRepeatKey TransactionType"),
    "ItemGroupData": _Content(
        f"ItemGroupData* ItemData* {_ENDING}", "ItemGroupOID", "ItemGroupRepeatKey TransactionType ItemGroupDataSeq",
        any_order=True,
    ),
    "ItemData": _Content(f"Value* {_ENDING}", "ItemOID", "TransactionType IsNull"),
    "AuditRecord": _Content(_AUDIT.below, "", "EditPoint UsedMethod"),
    "SiteRef": _Content("", "LocationOID"),
}  # fmt: skip
_CONTENT = {Edition.V1: _V1, Edition.V2: _V2}
_EITHER = ("ItemGroupData", "ItemData")


def check(root: etree._Element, edition: Edition) -> Iterator[Finding]:
    """What a validator would say of the clinical data below `root`, in the order of the document."""
    known = _CONTENT[edition]
    for clinical in root:
        if name_of(clinical) == "ClinicalData":
            for element in clinical.iter(etree.Element):
                content = known.get(name_of(element))
                if content is not None:
                    yield from _check(element, content)


def _check(element: etree._Element, content: _Content) -> Iterator[Finding]:
    for name in content.needs.split():
        if element.get(name) is None:
            yield _finding("missing-attribute", f"{name} is missing", element)
    allowed = {*content.needs.split(), *content.may.split()}
    for attribute in element.attrib:
        name = str(attribute)
        if name not in allowed and not name.startswith(_SAME_IN_ALL):
            yield _finding("not-in-schema", "the schema has no such attribute here", element)
    order, several = content.order, content.several
    last, seen = -1, set[str]()
    for below in element.iterchildren(etree.Element):
        name = name_of(below)
        place = order.get(name)
        if place is None:
            yield _finding("not-in-schema", "the schema has no such element here", below)
            continue
        # ODM 2.0 §ODM-clinicaldata: items and item groups come in any order.
        place = 0 if content.any_order and name in _EITHER else place
        if place < last:
            yield _finding("out-of-order", f"{name} stands behind what the schema wants after it", below)
        if name in seen and name not in several:
            yield _finding("duplicate", f"{name} stands once", below)
        last = max(last, place)
        seen.add(name)


def _finding(code: str, message: str, element: etree._Element) -> Finding:
    return Finding(code, message, pointer(element), line_of(element))
