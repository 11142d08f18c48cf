"""One study design in the other edition of ODM-XML: what both can say, in the order that the target's schema demands.

What ODM 2.0 has no attribute for goes into aliases (`odm-1.3.2:SASFieldName`) and comes back from them; units, which it
has not, are codings. The rest is lost, as docs/reference/odm.md says.
"""

from collections import Counter
from collections.abc import Callable

from lxml import etree

from keyfob.cdms.odm import converting1, converting2
from keyfob.cdms.odm.model import NAMESPACES, Edition, OdmError
from keyfob.cdms.odm.reading import edition_of, parse
from keyfob.cdms.odm.xml import children, name_of

_STUDIES: dict[Edition, Callable[[etree._Element], etree._Element]] = {
    Edition.V1: converting1.study,
    Edition.V2: converting2.study,
}
_KEPT = ("FileType", "FileOID", "CreationDateTime", "SourceSystem", "SourceSystemVersion", "Originator")


def edition_alone(body: bytes) -> Edition | None:
    """The edition of a document that holds one design and the sites that use it; None: it holds more than that."""
    root = parse(body)
    versions = [version for one in children(root, "Study") for version in children(one, "MetaDataVersion")]
    others = [name_of(one) for one in root if name_of(one) not in ("Description", "Study", "AdminData")]
    people = [name_of(one) for admin in children(root, "AdminData") for one in admin if name_of(one) != "Location"]
    return None if len(versions) > 1 or others or people else edition_of(root)


def write(found: etree._Element) -> bytes:
    return etree.tostring(found, encoding="UTF-8", xml_declaration=True, pretty_print=True)


def tree(body: bytes, *, study: str, version: str, edition: Edition) -> etree._Element:
    """The document of that design alone. Raises OdmError (406) when the edition cannot say it."""
    root = parse(body)
    found = next(
        one for one in children(root, "Study")
        if one.get("OID") == study and any(version == each.get("OID") for each in children(one, "MetaDataVersion"))
    )  # fmt: skip
    for other in children(found, "MetaDataVersion"):
        if other.get("OID") != version:
            found.remove(other)
    if edition_of(root) is edition:
        for one in list(root):
            if one is not found:
                root.remove(one)
        return root
    namespace = next(name for name, one in NAMESPACES.items() if one is edition)
    made = etree.fromstring(f'<ODM xmlns="{namespace}"/>')
    for name in _KEPT:
        if (value := root.get(name)) is not None:
            made.set(name, value)
    made.set("Granularity", "Metadata")
    made.set("ODMVersion", edition)
    converted = _STUDIES[edition](found)
    _check_oids(converted, edition)
    made.append(converted)
    return made


def _check_oids(study: etree._Element, edition: Edition) -> None:
    """In both editions an OID has one meaning in a design; a form of 2.0 that holds items itself would have two."""
    for version in children(study, "MetaDataVersion"):
        counted = Counter(one.get("OID") for one in version if one.get("OID") is not None)
        for oid, count in counted.items():
            if count > 1:
                message = f"this design cannot be said in ODM {edition}: {oid} would be defined twice"
                raise OdmError("not-acceptable", message, status=406)
