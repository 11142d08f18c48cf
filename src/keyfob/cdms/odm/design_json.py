"""The JSON twin of a study design: elements and attributes of ODM 1.3.2 in lowerCamelCase, lists as arrays.

An element that holds nothing but text is a text; one that has attributes besides is an object with a `text`.
"""

import re

from lxml import etree

from keyfob.cdms.odm.xml import name_of

_WORDS_START = re.compile(r"^[A-Z]+(?=[A-Z][a-z]|$)|^[A-Z]")
_ONCE = frozenset({
    "GlobalVariables", "BasicDefinitions", "StudyName", "StudyDescription", "ProtocolName", "Symbol", "Include",
    "Protocol", "Description", "Question", "ExternalQuestion", "ErrorMessage", "CodeListRef", "Decode",
    "ExternalCodeList",
})  # fmt: skip


def twin(element: etree._Element) -> dict[str, object] | str:
    """The JSON of an element of ODM 1.3.2, without what is no ODM's."""
    document: dict[str, object] = {
        _lower(etree.QName(str(name)).localname): str(value)
        for name, value in element.attrib.items()
        if not str(name).startswith("{") or str(name).endswith("}lang")
    }
    below = [one for one in element.iterchildren(etree.Element) if name_of(one)]
    for one in below:
        name = name_of(one)
        if name in _ONCE:
            document[_lower(name)] = twin(one)
        else:
            found = document.setdefault(_lower(name), [])
            assert isinstance(found, list)
            found.append(twin(one))
    text = element.text or ""
    if below or (document and not text.strip()):
        return document
    return {**document, "text": text} if document else text


def _lower(name: str) -> str:
    """`MetaDataVersion`: metaDataVersion; `OID`: oid; `SASFieldName`: sasFieldName."""
    return _WORDS_START.sub(lambda found: found.group().lower(), name)
