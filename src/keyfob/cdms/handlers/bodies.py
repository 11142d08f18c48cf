"""What comes in a body, read strictly: members that are known, texts that can be kept, ODM."""

import functools
from collections.abc import Callable

from keyfob.cdms import problems
from keyfob.cdms.call import MAX_REASON, Call
from keyfob.cdms.odm import json_reading
from keyfob.cdms.odm import reading as odm
from keyfob.cdms.odm.datatypes import is_text
from keyfob.cdms.odm.model import OdmError, OdmFile
from keyfob.cdms.problems import ApiProblem

ODM_TYPES = frozenset({"application/xml", "text/xml", "application/odm+xml"})


def known(document: dict[str, object], names: set[str]) -> dict[str, object]:
    """Raises ApiProblem for a member that is none of `names`."""
    if not set(document) <= names:
        raise ApiProblem(422, "unknown-member", f"the body has other members than {', '.join(sorted(names))}")
    return document


def text(document: dict[str, object], name: str) -> str:
    value = document.get(name)
    if not isinstance(value, str) or not value.strip() or not is_text(value):
        raise ApiProblem(422, "bad-member", f"{name} must be a text that is not blank")
    return value


def find_text(document: dict[str, object], name: str) -> str | None:
    return None if document.get(name) is None else text(document, name)


def find_reason(document: dict[str, object]) -> str | None:
    """Why, in words; None when nothing is said. Never cut: it goes into the audit trail."""
    reason = document.get("reason")
    if reason is None or reason == "":
        return None
    if not isinstance(reason, str) or not is_text(reason):
        raise ApiProblem(422, "bad-character", "the reason is a text of characters that XML can carry")
    if len(reason) > MAX_REASON:
        raise ApiProblem(422, "too-long", f"the reason has at most {MAX_REASON} characters")
    return reason.strip() or None


def read_odm(call: Call) -> OdmFile:
    """ODM-XML. Raises ApiProblem: 415, 400, 413, 422."""
    if _media_type(call) not in ODM_TYPES:
        raise ApiProblem(415, "unsupported-media-type", "the body must be ODM: application/xml")
    return _read(functools.partial(odm.read, call.body))


def read_data(call: Call, *, strictly: bool) -> OdmFile:
    """Clinical data as ODM-XML, or as its JSON twin. Raises ApiProblem: 415, 400, 413, 422."""
    kind = _media_type(call)
    if kind == "application/json":
        return _read(functools.partial(json_reading.read, call.body))
    if kind not in ODM_TYPES:
        raise ApiProblem(415, "unsupported-media-type", "the body must be ODM: application/xml or application/json")
    return _read(functools.partial(odm.read, call.body, strictly=strictly))


def _media_type(call: Call) -> str:
    return (call.header(b"content-type") or "").partition(";")[0].strip().lower()


def _read(read: Callable[[], OdmFile]) -> OdmFile:
    try:
        return read()
    except OdmError as unreadable:
        raise problems.from_odm(unreadable) from None
