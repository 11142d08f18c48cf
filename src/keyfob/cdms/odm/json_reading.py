"""The JSON twin of ODM clinical data, read strictly: what it may say and where is in keyfob.cdms.odm.json_writing.

It is ours, so a member that is unknown is a mistake and refused; in XML it may be a vendor's. Pointers are JSON
Pointers (RFC 6901).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from keyfob.cdms.odm.clinical import TRANSACTIONS
from keyfob.cdms.odm.datatypes import is_text
from keyfob.cdms.odm.model import ClinicalData, Finding, GroupData, ItemValue, OdmError, OdmFile, SubjectData
from keyfob.cdms.odm.reading import MAX_ITEMS
from keyfob.oauth import strict_json

_MAX_NAME = 256
_ABOUT_FILE = {
    "fileType", "fileOID", "creationDateTime", "odmVersion", "sourceSystem", "sourceSystemVersion", "originator",
    "asOfDateTime", "priorFileOID", "granularity", "description", "clinicalData",
}  # fmt: skip
_COMMON = {"transactionType", "auditRecord"}


def read(body: bytes) -> OdmFile:
    """The document in `body`. Raises OdmError."""
    try:
        document = strict_json.parse(body)
    except strict_json.NotText as broken:
        raise OdmError("bad-character", f"the document cannot be stored: {broken}", status=422) from None
    except ValueError as broken:
        raise OdmError("not-json", f"the document cannot be read: {broken}") from None
    root = _object(document, "", _ABOUT_FILE)
    if root.member("fileType", required=False) not in (None, "Snapshot", "Transactional"):
        raise OdmError("bad-member", "fileType is Snapshot or Transactional", where="/fileType", status=422)
    return OdmFile(
        file_oid=root.text("fileOID"),
        designs=(),
        clinical=tuple(_clinical(one) for one in root.children("clinicalData", _CLINICAL)),
        sites=(),
        warnings=(),
    )


@dataclass(frozen=True, slots=True)
class _Object:
    """A JSON object, and the pointer to it."""

    members: dict[str, object]
    where: str

    def member(self, name: str, *, required: bool = True) -> object:
        value = self.members.get(name)
        if value is None and (required or name in self.members):
            raise OdmError("missing-member", f"{name} is missing", where=self.where, status=422)
        return value

    def find_text(self, name: str) -> str | None:
        """A name or key: 1 to 256 characters that XML can carry."""
        value = self.member(name, required=False)
        if value is None:
            return None
        if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME:
            message = f"{name} is a text of 1 to {_MAX_NAME} characters"
            raise OdmError("bad-member", message, where=f"{self.where}/{name}", status=422)
        if not is_text(value):
            message = f"{name} has a character that XML cannot carry"
            raise OdmError("bad-character", message, where=f"{self.where}/{name}", status=422)
        return value

    def text(self, name: str) -> str:
        found = self.find_text(name)
        if found is None:
            raise OdmError("missing-member", f"{name} is missing", where=self.where, status=422)
        return found

    def children(self, name: str, known: set[str]) -> Iterator["_Object"]:
        value = self.member(name, required=False)
        if value is None:
            return
        if not isinstance(value, list):
            raise OdmError("bad-member", f"{name} is an array", where=f"{self.where}/{name}", status=422)
        for place, one in enumerate(value):
            yield _object(one, f"{self.where}/{name}/{place}", known)

    def child(self, name: str, known: set[str]) -> "_Object | None":
        value = self.member(name, required=False)
        return None if value is None else _object(value, f"{self.where}/{name}", known)

    @property
    def transaction(self) -> str | None:
        found = self.find_text("transactionType")
        if found is not None and found not in TRANSACTIONS:
            raise OdmError("bad-transaction", "transactionType is none of ODM's", where=self.where, status=400)
        return found

    @property
    def reason(self) -> str | None:
        record = self.child("auditRecord", {"userRef", "locationRef", "dateTimeStamp", "reasonForChange", "sourceID"})
        reason = None if record is None else record.member("reasonForChange", required=False)
        if reason is None:
            return None
        if not isinstance(reason, str) or not is_text(reason):
            raise OdmError("bad-member", "reasonForChange is a text", where=f"{self.where}/auditRecord", status=422)
        return reason.strip() or None


def _object(value: object, where: str, known: set[str]) -> _Object:
    if not isinstance(value, dict):
        raise OdmError("bad-member", "this is an object", where=where, status=422)
    if not set(value) <= known:
        # The names that are known, and not the one that is not: it may be anything.
        message = f"this has other members than {', '.join(sorted(known))}"
        raise OdmError("unknown-member", message, where=where, status=422)
    return _Object(value, where)


_CLINICAL = {"studyOID", "metaDataVersionOID", "subjectData"}
_SUBJECT = {"subjectKey", "siteRef", "studyEventData"} | _COMMON
_EVENT = {"studyEventOID", "studyEventRepeatKey", "formData"} | _COMMON
_FORM = {"formOID", "formRepeatKey", "itemGroupData"} | _COMMON
_GROUP = {"itemGroupOID", "itemGroupRepeatKey", "itemData"} | _COMMON
_ITEM = {"itemOID", "value", "isNull", "measurementUnitRef"} | _COMMON


def _clinical(clinical: _Object) -> ClinicalData:
    subjects = tuple(_subject(one) for one in clinical.children("subjectData", _SUBJECT))
    if sum(len(group.items) for subject in subjects for group in subject.groups) > MAX_ITEMS:
        raise OdmError("too-many-items", f"more than {MAX_ITEMS} items", where=clinical.where, status=413)
    return ClinicalData(
        study_oid=clinical.text("studyOID"),
        version_oid=clinical.text("metaDataVersionOID"),
        subjects=subjects,
        where=clinical.where,
    )


def _subject(subject: _Object) -> SubjectData:
    site = subject.child("siteRef", {"locationOID"})
    groups: list[GroupData] = []
    found = [*_unnamed_removal(subject, "studyEventData")]
    for event in subject.children("studyEventData", _EVENT):
        found += _unnamed_removal(event, "formData")
        for form in event.children("formData", _FORM):
            found += _unnamed_removal(form, "itemGroupData")
            groups += (_group(group, form, event, subject) for group in form.children("itemGroupData", _GROUP))
    return SubjectData(
        key=subject.text("subjectKey"),
        site=None if site is None else site.text("locationOID"),
        transaction=subject.transaction,
        groups=tuple(groups),
        found=tuple(found),
        where=subject.where,
    )


def _unnamed_removal(one: _Object, below: str) -> Iterator[Finding]:
    if one.transaction == "Remove" and not one.members.get(below):
        yield Finding("removal-unnamed", "a removal names each item group that is to go", one.where)


def _group(group: _Object, form: _Object, event: _Object, subject: _Object) -> GroupData:
    chain = (group, form, event, subject)
    return GroupData(
        event=event.text("studyEventOID"),
        event_repeat=event.find_text("studyEventRepeatKey"),
        form=form.text("formOID"),
        form_repeat=form.find_text("formRepeatKey"),
        group=group.text("itemGroupOID"),
        group_repeat=group.find_text("itemGroupRepeatKey"),
        transaction=next((found for one in chain if (found := one.transaction) is not None), None),
        items=tuple(_item(item) for item in group.children("itemData", _ITEM)),
        reason=next((found for one in chain if (found := one.reason) is not None), None),
        where=group.where,
    )


def _item(item: _Object) -> ItemValue:
    value, is_null = item.member("value", required=False), item.member("isNull", required=False)
    if value is not None and not isinstance(value, str):
        message = "a value is sent as text, so that 39.0 stays 39.0"
        raise OdmError("bad-member", message, where=f"{item.where}/value", status=422)
    if is_null not in (None, "Yes"):
        raise OdmError("bad-member", 'isNull is "Yes" or absent', where=f"{item.where}/isNull", status=422)
    unit = item.child("measurementUnitRef", {"measurementUnitOID"})
    transaction = item.transaction
    return ItemValue(
        oid=item.text("itemOID"),
        value=None if is_null else value,
        unit=None if unit is None else unit.text("measurementUnitOID"),
        contradicts=transaction not in ("Remove", "Context") and (is_null is not None) == (value is not None),
        transaction=transaction,
        reason=item.reason,
        where=item.where,
    )
