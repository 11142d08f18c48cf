"""RFC 9396: authorization details of type `cdms_study`: which studies, sites, forms and actions a right reaches.

An absent member means "all that is granted"; an empty list is refused, so that a missing value can never mean all.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, fields

from keyfob.oauth import strict_json
from keyfob.oauth.errors import InvalidAuthorizationDetails

TYPE = "cdms_study"
ALL_STUDIES = "*"
"""The only wildcard, and only as `identifier`."""
MAX_BYTES = 4096
"""As written by `write`: of what is asked, of what is granted, and of what is effective."""
_MAX_NAME = 256


@dataclass(frozen=True, slots=True)
class CdmsStudy:
    """One element. `identifier` is a StudyOID or ALL_STUDIES; None means all that is granted; no set is empty."""

    identifier: str
    sites: frozenset[str] | None = None
    forms: frozenset[str] | None = None
    actions: frozenset[str] | None = None

    @property
    def limits(self) -> tuple[frozenset[str] | None, ...]:
        return self.sites, self.forms, self.actions


Details = tuple[CdmsStudy, ...]
"""Alternatives: a right holds when one element alone allows it; elements are never merged across."""

_LIMITS = tuple(field.name for field in fields(CdmsStudy) if field.name != "identifier")
_FIELDS = frozenset(("type", "identifier", *_LIMITS))


def parse(text: str) -> Details:
    """The `authorization_details` parameter (RFC 9396 §2): a JSON array of 1 or more elements.

    Raises InvalidAuthorizationDetails.
    """
    if len(text.encode(errors="surrogatepass")) > MAX_BYTES:
        raise InvalidAuthorizationDetails(f"authorization_details is longer than {MAX_BYTES} bytes")
    try:
        document = strict_json.parse(text)
    except ValueError as broken:
        raise InvalidAuthorizationDetails("authorization_details is not strict JSON") from broken
    details = read_claim(document)
    if not details:
        raise InvalidAuthorizationDetails("authorization_details is empty: leave it out to ask for all that is granted")
    return details


def read_claim(value: object) -> Details:
    """The claim of a token or member of a response: the array itself, possibly empty. Same errors as `parse`."""
    # RFC 9396 §2: the details are an array.
    if not isinstance(value, list):
        raise InvalidAuthorizationDetails("authorization_details must be an array")
    elements = [_element(member, place) for place, member in enumerate(value)]
    return tuple(elements) if len(elements) < 2 else tuple(dict.fromkeys(elements))


def _element(member: object, place: int) -> CdmsStudy:
    if not isinstance(member, dict):
        raise _wrong(place, "", "must be an object")
    # RFC 9396 §2, §5: an unknown type, which may have meant a restriction, is refused.
    if member.get("type") != TYPE:
        raise _wrong(place, "", f"must have the type {TYPE}")
    # RFC 9396 §5: an unknown field is refused.
    if not member.keys() <= _FIELDS:
        raise _wrong(place, "", f"has a field that {TYPE} does not know")
    limits = {name: _names(member[name], place, name) for name in _LIMITS if name in member}
    return CdmsStudy(_name(member.get("identifier"), place, "identifier"), **limits)


def _names(value: object, place: int, field: str) -> frozenset[str]:
    # RFC 9396 §5: a field of the wrong type is refused, and an empty one.
    if not isinstance(value, list) or not value:
        raise _wrong(place, field, "must be an array of at least one: leave it out to mean all")
    return frozenset([_name(name, place, field) for name in value])


def _name(value: object, place: int, field: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= _MAX_NAME or not value.isprintable():
        raise _wrong(place, field, f"must be text of 1 to {_MAX_NAME} printable characters")
    return value


def _wrong(place: int, field: str, what: str) -> InvalidAuthorizationDetails:
    where = f"authorization_details[{place}]" + (f".{field}" if field else "")
    return InvalidAuthorizationDetails(f"{where} {what}")


def write_claim(details: Details) -> list[dict[str, object]]:
    """The array for a token, a response or an introspection answer; equal details give equal arrays."""
    return [_write_element(element) for element in details]


def _write_element(element: CdmsStudy) -> dict[str, object]:
    document: dict[str, object] = {"type": TYPE, "identifier": element.identifier}
    for name, limit in zip(_LIMITS, element.limits, strict=True):
        if limit is not None:
            document[name] = sorted(limit)
    return document


def write(details: Details) -> str:
    """The parameter of a token request."""
    return json.dumps(write_claim(details), ensure_ascii=False, separators=(",", ":"))


def narrow(requested: Details | None, granted: Details) -> Details:
    """The effective details, written out: `granted` when nothing was asked, else what was asked within it.

    An absent limit of a request takes on the grant's. Raises InvalidAuthorizationDetails when more is asked than any
    one element of the grant gives (RFC 9396 §5), or when what is effective is longer than MAX_BYTES.
    """
    if requested is None:
        return granted
    effective: dict[CdmsStudy, None] = {}
    for place, asked in enumerate(requested):
        within = [found for element in granted if (found := _within(asked, element)) is not None]
        # RFC 9396 §5, §6: more than what is granted is refused.
        if not within:
            raise InvalidAuthorizationDetails(f"authorization_details[{place}] is more than what is granted")
        effective.update(dict.fromkeys(within))
    # Each element asked for may lie within many of the grant: two lists of 4 kB could make a token of 300.
    if len(write(tuple(effective)).encode()) > MAX_BYTES:
        raise InvalidAuthorizationDetails(f"authorization_details within the grant is longer than {MAX_BYTES} bytes")
    return tuple(effective)


def _within(asked: CdmsStudy, granted: CdmsStudy) -> CdmsStudy | None:
    if granted.identifier not in (asked.identifier, ALL_STUDIES):
        return None
    limits: list[frozenset[str] | None] = []
    for wanted, given in zip(asked.limits, granted.limits, strict=True):
        if wanted is not None and given is not None and not wanted <= given:
            return None
        limits.append(given if wanted is None else wanted)
    return CdmsStudy(asked.identifier, *limits)


def permits(details: Details, *, study: str, scope: str, site: str | None = None, form: str | None = None) -> bool:
    """Whether one element alone allows `scope` on this study, site and form.

    `site` or `form` None: the question is not about one (the caller filters by `sites_of`); a limit does not hinder it.
    """
    return any(_permits(element, study, scope, site, form) for element in details)


def sites_of(details: Details, *, study: str, scope: str) -> frozenset[str] | None:
    """The sites that `scope` reaches in this study: None for all, empty for none. For filtering collections."""
    return _union(element.sites for element in details if _permits(element, study, scope, None, None))


def forms_of(details: Details, *, study: str, scope: str) -> frozenset[str] | None:
    """As `sites_of`: the forms that `scope` reaches in this study at any site."""
    return _union(element.forms for element in details if _permits(element, study, scope, None, None))


def studies_of(details: Details, *, scope: str) -> frozenset[str] | None:
    """The studies that `scope` reaches: None for all."""
    found: Iterable[str] = [e.identifier for e in details if e.actions is None or scope in e.actions]
    return None if ALL_STUDIES in found else frozenset(found)


def _union(limits: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    found = list(limits)
    return None if None in found else frozenset[str]().union(*(limit for limit in found if limit is not None))


def _permits(element: CdmsStudy, study: str, scope: str, site: str | None, form: str | None) -> bool:
    return (
        element.identifier in (study, ALL_STUDIES)
        and (element.actions is None or scope in element.actions)
        and (element.sites is None or site is None or site in element.sites)
        and (element.forms is None or form is None or form in element.forms)
    )
