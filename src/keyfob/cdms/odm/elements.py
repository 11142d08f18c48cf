"""Elements made out of elements of the other edition: what converting1 and converting2 do alike."""

import re
from collections.abc import Iterable

from lxml import etree

from keyfob.cdms.odm.xml import child, children

FORMER = "odm-1.3.2:"
"""`<Alias Context="odm-1.3.2:SignificantDigits" Name="1"/>`: what 1.3.2 says by an attribute that 2.0 does not have."""
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_SAS_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,7}")
_SAS_FORMAT = re.compile(r"[A-Za-z_$][A-Za-z0-9_.]{0,7}")
_SAS = {"SASDatasetName": _SAS_NAME, "SASFieldName": _SAS_NAME, "SDSVarName": _SAS_NAME, "SASFormatName": _SAS_FORMAT}
_METHODS = frozenset({"Computation", "Imputation", "Transpose"})
"""The kinds of MethodDef that both know."""
_POSITIVE = frozenset({"OrderNumber", "KeySequence", "Length"})


class Maker:
    """Makes elements of one namespace. `text_type`: what its TranslatedText says it holds, if it must."""

    def __init__(self, namespace: str, *, text_type: str | None) -> None:
        self._namespace = namespace
        self._text_type = text_type

    def make(self, name: str, **attributes: str | None) -> etree._Element:
        """Without the attributes that are None, and those whose value the schema could not take."""
        made = etree.Element(f"{{{self._namespace}}}{name}")
        for attribute, value in attributes.items():
            if value is not None and fits(name, attribute, value):
                made.set(attribute, value)
        return made

    def like(self, source: etree._Element, attributes: str, name: str | None = None) -> etree._Element:
        """An element with those of its attributes; without a Name it is called by its OID."""
        found = {one: source.get(one) for one in attributes.split()}
        if "Name" in found and not found["Name"]:
            found["Name"] = source.get("OID")
        return self.make(name or etree.QName(source).localname, **found)

    def text(self, name: str, text: str) -> etree._Element:
        made = self.make(name)
        made.text = text
        return made

    def described(self, name: str, *texts: tuple[str | None, str]) -> etree._Element:
        """An element of TranslatedText: its language, its text."""
        made = self.make(name)
        for language, text in texts:
            translated = self.make("TranslatedText", Type=self._text_type)
            if language:
                translated.set(LANGUAGE, language)
            translated.text = text
            made.append(translated)
        return made

    def texts(self, source: etree._Element, *names: str) -> list[etree._Element]:
        """Those children of it that hold TranslatedText, in that order."""
        found = [one for name in names if (one := child(source, name)) is not None and children(one, "TranslatedText")]
        return [
            # Each language once: 2.0 may have it as plain text and as XHTML.
            self.described(
                etree.QName(one).localname,
                *{text.get(LANGUAGE): words(text) for text in children(one, "TranslatedText")}.items(),
            )
            for one in found
        ]

    def aliases(self, source: etree._Element, *, former: bool = True) -> list[etree._Element]:
        """Its aliases; `former`: those too that stand for an attribute of 1.3.2."""
        return [
            self.like(alias, "Context Name")
            for alias in children(source, "Alias")
            if former or not alias.get("Context", "").startswith(FORMER)
        ]

    def attributes_as_aliases(self, source: etree._Element, names: str) -> list[etree._Element]:
        found = ((name, source.get(name)) for name in names.split())
        return [self.make("Alias", Context=FORMER + name, Name=value) for name, value in found if value]


def fill(made: etree._Element, *parts: Iterable[etree._Element]) -> etree._Element:
    """`made`, with all of them in it."""
    for part in parts:
        made.extend(part)
    return made


def words(element: etree._Element | None) -> str:
    """All text in it: of one that holds XHTML, what a reader would read."""
    return "" if element is None else " ".join("".join(str(part) for part in element.itertext()).split())


def former_attributes(source: etree._Element, names: str) -> dict[str, str]:
    """The attributes of 1.3.2 that stand in its aliases."""
    wanted = {FORMER + name: name for name in names.split()}
    found = {alias.get("Context", ""): alias.get("Name", "") for alias in children(source, "Alias")}
    return {wanted[context]: value for context, value in found.items() if context in wanted}


def fits(made: str, attribute: str, value: str) -> bool:
    """Whether the schemas of both editions take the value."""
    if attribute in _SAS:
        return _SAS[attribute].fullmatch(value) is not None
    if attribute == "Type" and made == "MethodDef":
        return value in _METHODS
    if attribute in _POSITIVE:
        return value.isascii() and value.isdigit() and int(value[:9]) > 0
    return True
