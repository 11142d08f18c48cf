"""An audit trail as ODM 1.3.2: a Transactional file, in which each record is a ClinicalData element of its own.

A record is of a value, or of a subject; what ODM has no place for (designs, sites) is told by the JSON of the trail
alone.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from xml.sax.saxutils import escape

from keyfob.cdms.odm.model import NAMESPACE, GroupData, ItemValue
from keyfob.cdms.odm.writing import Head, begin, clinical_data, quoted, repeat, timestamp

SYSTEM = "keyfob-cdms"
"""The OID of the place where it happened, when that is no site: this system."""


@dataclass(frozen=True, slots=True)
class User:
    """Who did it: a client, the partner's own operator whom it named, or the operator at the command line."""

    client_id: str | None
    operator: str | None

    @property
    def oid(self) -> str:
        return ":".join(name for name in (self.client_id, self.operator) if name) or SYSTEM


@dataclass(frozen=True, slots=True)
class Record:
    """One record. `data` is the place of the item, with what it became (None: taken away), or None: of the subject.

    `transaction` is ODM's word for what happened; `site` is the subject's, `comment` what ODM has no attribute for.
    """

    seq: int
    at: int
    version_oid: str
    user: User
    subject_key: str
    site: str | None
    transaction: str
    data: GroupData | None
    reason: str | None
    comment: str | None = None

    @property
    def location(self) -> str:
        return self.site or SYSTEM


def write(head: Head, records: Iterable[Record], *, sites: dict[str, str], effective_at: int) -> str:
    """The document. AdminData define each user and place that is referred to; `sites` has the names of sites by OID.

    `effective_at`: since when the head's metadata version is in force, which a Location must tell.
    """
    found = list(records)
    return "".join((
        begin(NAMESPACE, "1.3.2", "Transactional", head),
        *_admin(head, found, sites, timestamp(effective_at)[:10]),
        *(part for record in found for part in _record(head, record)),
        "</ODM>\n",
    ))  # fmt: skip


def _admin(head: Head, records: list[Record], sites: dict[str, str], effective: str) -> Iterator[str]:
    if not records:
        return
    yield f"<AdminData StudyOID={quoted(head.study_oid)}>\n"
    for oid, user in sorted({record.user.oid: record.user for record in records}.items()):
        yield f"<User OID={quoted(oid)}>"
        yield f"<LoginName>{escape(user.client_id or user.operator or SYSTEM)}</LoginName>"
        yield f"<DisplayName>{escape(user.operator or user.client_id or SYSTEM)}</DisplayName></User>\n"
    version = f"StudyOID={quoted(head.study_oid)} MetaDataVersionOID={quoted(head.version_oid)}"
    for location in sorted({record.location for record in records}):
        kind = "Other" if location == SYSTEM else "Site"
        name = sites.get(location) or location
        yield f'<Location OID={quoted(location)} Name={quoted(name)} LocationType="{kind}">'
        yield f'<MetaDataVersionRef {version} EffectiveDate="{effective}"/></Location>\n'
    yield "</AdminData>\n"


def _record(head: Head, record: Record) -> Iterator[str]:
    yield clinical_data(Head(head.study_oid, record.version_oid, head.file_oid, head.now))
    site = "" if record.site is None else f"<SiteRef LocationOID={quoted(record.site)}/>\n"
    key = f"SubjectKey={quoted(record.subject_key)}"
    if record.data is None:
        # The schema wants the AuditRecord before SiteRef, and what is annotated after it.
        yield f'<SubjectData {key} TransactionType="{record.transaction}">\n{_audit_record(record)}{site}'
        if record.comment is not None:
            yield f'<Annotation SeqNum="1"><Comment>{escape(record.comment)}</Comment></Annotation>\n'
    else:
        yield f"<SubjectData {key}>\n{site}"
        yield from _item(record, record.data)
    yield "</SubjectData>\n</ClinicalData>\n"


def _item(record: Record, data: GroupData) -> Iterator[str]:
    (item,) = data.items
    yield f"<StudyEventData StudyEventOID={quoted(data.event)}{repeat('StudyEventRepeatKey', data.event_repeat)}>"
    yield f"<FormData FormOID={quoted(data.form)}{repeat('FormRepeatKey', data.form_repeat)}>"
    yield f"<ItemGroupData ItemGroupOID={quoted(data.group)}{repeat('ItemGroupRepeatKey', data.group_repeat)}>\n"
    said = "" if record.transaction == "Remove" else _said(item)
    yield f'<ItemData ItemOID={quoted(item.oid)} TransactionType="{record.transaction}"{said}>\n'
    yield _audit_record(record)
    if item.unit is not None and said:
        yield f"<MeasurementUnitRef MeasurementUnitOID={quoted(item.unit)}/>"
    yield "</ItemData>\n</ItemGroupData></FormData></StudyEventData>\n"


def _said(item: ItemValue) -> str:
    return ' IsNull="Yes"' if item.value is None else f" Value={quoted(item.value)}"


def _audit_record(record: Record) -> str:
    reason = "" if record.reason is None else f"<ReasonForChange>{escape(record.reason)}</ReasonForChange>"
    return (
        f"<AuditRecord><UserRef UserOID={quoted(record.user.oid)}/><LocationRef LocationOID={quoted(record.location)}/>"
        f"<DateTimeStamp>{timestamp(record.at)}</DateTimeStamp>{reason}<SourceID>{record.seq}</SourceID></AuditRecord>\n"
    )
