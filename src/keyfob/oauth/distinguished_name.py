"""RFC 4514: a distinguished name as text, read into a value that can be compared."""

import re
from collections.abc import Iterator

Attribute = tuple[str, str]
"""A type, as a dotted OID, and its value."""
DistinguishedName = tuple[frozenset[Attribute], ...]
"""The relative names in the order of the certificate: the text has them the other way round (RFC 4514 §2.1)."""

# RFC 4514 §3, and what real certificates of organisations hold beyond it.
_OIDS = {
    "CN": "2.5.4.3",
    "SN": "2.5.4.4",
    "serialNumber": "2.5.4.5",
    "C": "2.5.4.6",
    "L": "2.5.4.7",
    "ST": "2.5.4.8",
    "STREET": "2.5.4.9",
    "O": "2.5.4.10",
    "OU": "2.5.4.11",
    "title": "2.5.4.12",
    "businessCategory": "2.5.4.15",
    "postalCode": "2.5.4.17",
    "GN": "2.5.4.42",
    "dnQualifier": "2.5.4.46",
    "organizationIdentifier": "2.5.4.97",
    "DC": "0.9.2342.19200300.100.1.25",
    "UID": "0.9.2342.19200300.100.1.1",
    "emailAddress": "1.2.840.113549.1.9.1",
}
_BY_NAME = {name.lower(): oid for name, oid in _OIDS.items()}
_BY_OID = {oid: name for name, oid in _OIDS.items()}
_MAX_CHARACTERS = 1024
_OID = re.compile(r"[0-2](\.(0|[1-9][0-9]{0,14})){1,20}")
_ESCAPED = re.compile(r'\\([ "#+,;<=>\\])|((?:\\[0-9A-Fa-f]{2})+)')
_SPECIAL = frozenset('"+,;<>\\\0')


class MalformedName(ValueError):
    """The text is no distinguished name; why, without the text."""


def parse(text: str) -> DistinguishedName:
    """The name that `text` spells, such as `CN=edc.acme.example,O=Acme,C=DE`. Raises MalformedName.

    Values are compared as they are, letter by letter. Hexadecimal values (`#0403...`) are not read.
    """
    if not 0 < len(text) <= _MAX_CHARACTERS:
        raise MalformedName(f"a name has 1 to {_MAX_CHARACTERS} characters")
    relative = [frozenset(_attribute(part) for part in _split(one, "+")) for one in _split(text, ",")]
    return tuple(reversed(relative))


def write(name: DistinguishedName) -> str:
    """RFC 4514 §2, in the one way in which we spell it."""
    return ",".join(
        "+".join(f"{_BY_OID.get(oid, oid)}={_escape(value)}" for oid, value in sorted(relative))
        for relative in reversed(name)
    )


def _split(text: str, separator: str) -> Iterator[str]:
    """At the separators that are not escaped."""
    start = position = 0
    while position < len(text):
        if text[position] == "\\":
            position += 2
            continue
        if text[position] == separator:
            yield text[start:position]
            start = position + 1
        position += 1
    yield text[start:]


def _attribute(text: str) -> Attribute:
    kind, equals, value = text.partition("=")
    oid = _BY_NAME.get(kind.lower()) or (kind if _OID.fullmatch(kind) else None)
    if not equals or oid is None:
        raise MalformedName("each part is TYPE=value, with a known type or an OID, and no blanks around it")
    if not value or value[0] in "# " or (value[-1] == " " and not value.endswith("\\ ")):
        raise MalformedName("a value is empty, hexadecimal, or has a blank at its end that is not escaped")
    plain = _ESCAPED.sub("", value)
    if any(character in _SPECIAL for character in plain):
        raise MalformedName("a special character is not escaped by a backslash")
    try:
        return oid, _ESCAPED.sub(_unescape, value)
    except UnicodeDecodeError:
        raise MalformedName("an escaped value is no UTF-8") from None


def _unescape(found: re.Match[str]) -> str:
    return found[1] or bytes.fromhex(found[2].replace("\\", "")).decode("utf-8")


def _escape(value: str) -> str:
    # RFC 4514 §2.4.
    escaped = "".join("\\00" if one == "\0" else f"\\{one}" if one in _SPECIAL else one for one in value)
    if escaped[:1] in ("#", " "):
        escaped = "\\" + escaped
    if escaped.endswith(" ") and value != " ":
        escaped = escaped[:-1] + "\\ "
    return escaped
