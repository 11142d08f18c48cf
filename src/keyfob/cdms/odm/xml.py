"""Small questions to an lxml element, and the pointer that names its place."""

from lxml import etree

from keyfob.cdms.odm.model import NAMESPACES, OdmError

_MAX_OID = 256


def name_of(element: etree._Element) -> str:
    """Its local name if it is ODM's, of either edition, else nothing."""
    namespace, _, name = str(element.tag).removeprefix("{").rpartition("}")
    return name if namespace in NAMESPACES else ""


def children(element: etree._Element, name: str) -> list[etree._Element]:
    """Those of that name in the element's own namespace."""
    return element.findall(f"{{{etree.QName(element).namespace}}}{name}")


def child(element: etree._Element, name: str) -> etree._Element | None:
    """The first of them."""
    return element.find(f"{{{etree.QName(element).namespace}}}{name}")


def attribute(element: etree._Element, name: str) -> str | None:
    """An OID or key: 1 to 256 characters. Raises OdmError when it is empty or longer."""
    value = element.get(name)
    if value is None:
        return None
    if not 0 < len(value) <= _MAX_OID:
        raise OdmError(
            "bad-attribute",
            f"{name} must have 1 to {_MAX_OID} characters",
            where=pointer(element),
            line=line_of(element),
        )
    return value


def required(element: etree._Element, name: str) -> str:
    """As `attribute`, and raises OdmError when it is missing."""
    value = attribute(element, name)
    if value is None:
        raise OdmError("missing-attribute", f"{name} is missing", where=pointer(element), line=line_of(element))
    return value


def line_of(element: etree._Element) -> int:
    """Its line in the document, 0 where the parser does not know."""
    line = element.sourceline
    return line if isinstance(line, int) else 0


def pointer(element: etree._Element) -> str:
    """Where it stands: `/ODM/ClinicalData[1]/SubjectData[3]`, counted among its like-named siblings."""
    parts: list[str] = []
    current: etree._Element | None = element
    while current is not None:
        parent = current.getparent()
        name = etree.QName(current).localname
        if parent is not None:
            name += f"[{1 + sum(1 for _ in current.itersiblings(str(current.tag), preceding=True))}]"
        parts.append(name)
        current = parent
    return "/" + "/".join(reversed(parts))
