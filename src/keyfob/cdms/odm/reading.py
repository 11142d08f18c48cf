"""An ODM 1.3 or 2.0 document, read by name and not by order: real exports break the schema's order in every subject.

Hardened: no DOCTYPE, no entities, no network, bounded depth and count. What is read here is not yet checked against a
design: see keyfob.cdms.odm.checking.
"""

from collections.abc import Iterator

from lxml import etree

from keyfob.cdms.odm import clinical, designs, designs2, strict
from keyfob.cdms.odm.model import NAMESPACES, Edition, Finding, OdmError, OdmFile, Site
from keyfob.cdms.odm.xml import children, line_of, name_of, pointer, required
from keyfob.cdms.segments import is_segment

MAX_DEPTH = 64
MAX_ITEMS = 200_000
_ITEM_DATA = "ItemData"
_KNOWN_NAMESPACES = frozenset({"http://www.w3.org/XML/1998/namespace", "http://www.w3.org/2001/XMLSchema-instance"})


def read(body: bytes, *, strictly: bool = False) -> OdmFile:
    """The document in `body`, in any encoding that XML declares; `strictly`: what the schema has against it, too.

    Raises OdmError.
    """
    root = parse(body)
    edition = edition_of(root)
    of_study = designs.read_study if edition is Edition.V1 else designs2.read_study
    return OdmFile(
        file_oid=required(root, "FileOID"),
        designs=tuple(design for study in children(root, "Study") for design in of_study(study)),
        clinical=tuple(clinical.read_clinical(element, edition) for element in children(root, "ClinicalData")),
        sites=tuple(_sites(root)),
        warnings=(*_vendor_warnings(root), *_query_warnings(root)),
        errors=tuple(strict.check(root, edition)) if strictly else (),
    )


def edition_of(root: etree._Element) -> Edition:
    """Told by the namespace, which the ODMVersion must not contradict. Raises OdmError for what is no ODM."""
    found = etree.QName(root)
    if found.localname != "ODM":
        raise OdmError("not-odm", f"the document is {found.localname[:64]}, not ODM", where="/", line=1)
    edition = NAMESPACES.get(found.namespace or "")
    if edition is None:
        known = " or ".join(NAMESPACES)
        raise OdmError("no-namespace", f"the ODM element must be in the namespace {known}", where="/ODM", line=1)
    version = root.get("ODMVersion", edition)
    if not version.startswith(edition[:3]):
        raise OdmError(
            "odm-version",
            f"ODMVersion {version[:16]} is not read: it must be {edition[:3]} in this namespace",
            where="/ODM",
            line=1,
        )
    return edition


def parse(body: bytes) -> etree._Element:
    """Its root element, of whatever document: hardened, and within bounds. Raises OdmError."""
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
    seen: set[str | None] = {etree.QName(root).namespace}
    for element in root.iter():
        for name in (element.tag, *element.attrib):
            namespace = etree.QName(str(name)).namespace
            if namespace is None or namespace in _KNOWN_NAMESPACES or namespace in seen:
                continue
            seen.add(namespace)
            yield Finding("vendor-extension", f"what is in {namespace} is ignored", pointer(element), line_of(element))


def _query_warnings(root: etree._Element) -> Iterator[Finding]:
    """ODM 2.0 §ODM-clinicaldata: a Query may stand anywhere. They are no data, and the sender should know."""
    found = next(root.iter(f"{{{etree.QName(root).namespace}}}Query"), None)
    if found is not None:
        yield Finding("query-ignored", "queries are not stored", pointer(found), line_of(found))


def _sites(root: etree._Element) -> Iterator[tuple[str | None, Site]]:
    for admin in children(root, "AdminData"):
        for location in children(admin, "Location"):
            kind = location.get("LocationType") or location.get("Role") or "Site"
            if kind.casefold() == "site":
                oid = required(location, "OID")
                if not is_segment(oid):
                    message = "the OID of a site holds what a URL's path cannot (a slash, for one)"
                    raise OdmError("bad-oid", message, where=pointer(location), line=line_of(location), status=422)
                yield admin.get("StudyOID"), Site(oid, location.get("Name", ""))
