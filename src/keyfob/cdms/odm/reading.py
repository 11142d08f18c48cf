"""An ODM 1.3 document, read by name and not by order: real exports break the schema's order in every subject.

Hardened: no DOCTYPE, no entities, no network, bounded depth and count. What is read here is not yet checked against a
design: see keyfob.cdms.odm.checking.
"""

from collections import Counter
from collections.abc import Iterator

from lxml import etree

from keyfob.cdms.odm import designs
from keyfob.cdms.odm.model import (
    NAMESPACE,
    ClinicalData,
    Finding,
    GroupData,
    ItemValue,
    OdmError,
    OdmFile,
    Site,
    SubjectData,
)
from keyfob.cdms.odm.xml import attribute, children, is_odm, line_of, name_of, pointer, required

MAX_DEPTH = 64
MAX_ITEMS = 200_000
_TRANSACTIONS = frozenset({"Insert", "Update", "Upsert", "Remove", "Context"})
_ITEM_DATA = "ItemData"
_KNOWN_NAMESPACES = frozenset(
    {NAMESPACE, "http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2001/XMLSchema-instance"}
)


def read(body: bytes) -> OdmFile:
    """The document in `body`, in any encoding that XML declares. Raises OdmError."""
    root = parse(body)
    if not is_odm(root, "ODM"):
        found = etree.QName(root)
        if found.localname == "ODM":
            raise OdmError(
                "no-namespace", f"the ODM element must be in the namespace {NAMESPACE}", where="/ODM", line=1
            )
        raise OdmError("not-odm", f"the document is {found.localname[:64]}, not ODM", where="/", line=1)
    version = root.get("ODMVersion", "1.3")
    if not version.startswith("1.3"):
        raise OdmError("odm-version", f"ODMVersion {version[:16]} is not read: it must be 1.3", where="/ODM", line=1)
    warnings = [*_vendor_warnings(root)]
    return OdmFile(
        file_oid=required(root, "FileOID"),
        designs=tuple(design for study in children(root, "Study") for design in designs.read_study(study)),
        clinical=tuple(_clinical(element) for element in children(root, "ClinicalData")),
        sites=tuple(_sites(root)),
        warnings=tuple(warnings),
    )


def parse(body: bytes) -> etree._Element:
    """The root of the document, hardened as above. Raises OdmError."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, remove_comments=True, remove_pis=True
    )
    try:
        root = etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError, LookupError) as broken:
        line = getattr(broken, "lineno", 0) or 0
        raise OdmError("not-xml", f"the document is not well-formed XML ({_why(broken)})", line=line) from None
    # A DOCTYPE is where entities, and what they pull in, are declared: there is no honest use for one here.
    if root.getroottree().docinfo.internalDTD is not None:
        raise OdmError("doctype", "a DOCTYPE is not accepted", line=1)
    _check_size(root)
    return root


def _why(broken: Exception) -> str:
    """The kind of the error without the text around it, which may be a value."""
    if not isinstance(broken, etree.XMLSyntaxError):
        return type(broken).__name__
    last = getattr(broken.error_log, "last_error", None)
    kind = "unreadable" if last is None else last.type_name.removeprefix("ERR_").replace("_", " ").lower()
    return f"{kind}, column {(broken.position or (0, 0))[1]}"


def _check_size(root: etree._Element) -> None:
    items = depth = 0
    for event, element in etree.iterwalk(root, events=("start", "end")):
        depth += 1 if event == "start" else -1
        if depth > MAX_DEPTH:
            raise OdmError("too-deep", f"elements nest deeper than {MAX_DEPTH}", line=line_of(element), status=413)
        if event == "start" and name_of(element).startswith(_ITEM_DATA):
            items += 1
            if items > MAX_ITEMS:
                raise OdmError("too-many-items", f"more than {MAX_ITEMS} items", line=line_of(element), status=413)


def _vendor_warnings(root: etree._Element) -> Iterator[Finding]:
    """Each foreign namespace once: what it says is not read, and the sender should know."""
    seen: set[str] = set()
    for element in root.iter():
        for name in (element.tag, *element.attrib):
            namespace = etree.QName(str(name)).namespace
            if namespace is None or namespace in _KNOWN_NAMESPACES or namespace in seen:
                continue
            seen.add(namespace)
            yield Finding("vendor-extension", f"what is in {namespace} is ignored", pointer(element), line_of(element))


def _sites(root: etree._Element) -> Iterator[tuple[str | None, Site]]:
    for admin in children(root, "AdminData"):
        for location in children(admin, "Location"):
            if location.get("LocationType", "Site") == "Site":
                yield admin.get("StudyOID"), Site(required(location, "OID"), location.get("Name", ""))


def _clinical(element: etree._Element) -> ClinicalData:
    where = pointer(element)
    return ClinicalData(
        study_oid=required(element, "StudyOID"),
        version_oid=required(element, "MetaDataVersionOID"),
        subjects=tuple(_subject(subject, at) for subject, at in _placed(element, "SubjectData", where)),
        where=where,
        line=line_of(element),
    )


def _placed(parent: etree._Element, name: str, where: str) -> Iterator[tuple[etree._Element, str]]:
    """The children of that name, each with its pointer: counted on the way, since counting back is quadratic."""
    for place, element in enumerate(children(parent, name), start=1):
        yield element, f"{where}/{name}[{place}]"


def _subject(element: etree._Element, where: str) -> SubjectData:
    site = next(iter(children(element, "SiteRef")), None)
    groups: list[GroupData] = []
    for event, in_event in _placed(element, "StudyEventData", where):
        for form, in_form in _placed(event, "FormData", in_event):
            for group, in_group in _placed(form, "ItemGroupData", in_form):
                groups.append(_group(event, form, group, in_group))
    return SubjectData(
        key=required(element, "SubjectKey"),
        site=None if site is None else required(site, "LocationOID"),
        transaction=_transaction(element),
        groups=tuple(groups),
        where=where,
        line=line_of(element),
    )


def _group(event: etree._Element, form: etree._Element, group: etree._Element, where: str) -> GroupData:
    # ODM 1.3.2 §3.1.4.1: the nearest TransactionType at or above an element holds for it.
    transaction = _transaction(group) or _transaction(form) or _transaction(event)
    return GroupData(
        event=required(event, "StudyEventOID"),
        event_repeat=attribute(event, "StudyEventRepeatKey"),
        form=required(form, "FormOID"),
        form_repeat=attribute(form, "FormRepeatKey"),
        group=required(group, "ItemGroupOID"),
        group_repeat=attribute(group, "ItemGroupRepeatKey"),
        transaction=transaction,
        items=tuple(_items(group, where)),
        reason=_reason(group) or _reason(form) or _reason(event),
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
    # ODM 1.3.2 §3.1.4.1.1.1.1.2: typed ItemData (ItemDataString …) hold the value as their content.
    value = element.get("Value") if name == _ITEM_DATA else element.text or (None if is_null else "")
    unit = next(iter(children(element, "MeasurementUnitRef")), None)
    return ItemValue(
        oid=required(element, "ItemOID"),
        value=None if is_null else value,
        unit=None if unit is None else required(unit, "MeasurementUnitOID"),
        contradicts=is_null == (value is not None),
        where=where,
        line=line_of(element),
    )


def _reason(element: etree._Element) -> str | None:
    """ODM 1.3.2 §3.1.4.2: the ReasonForChange of its AuditRecord."""
    for record in children(element, "AuditRecord"):
        for reason in children(record, "ReasonForChange"):
            if reason.text and reason.text.strip():
                return str(reason.text).strip()
    return None


def _transaction(element: etree._Element) -> str | None:
    found = element.get("TransactionType")
    if found is not None and found not in _TRANSACTIONS:
        raise OdmError(
            "bad-transaction", "TransactionType is none of ODM's", where=pointer(element), line=line_of(element)
        )
    return found
