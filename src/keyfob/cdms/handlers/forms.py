"""The forms that ODM has here, and which of them a call wants."""

from collections.abc import Callable, Iterable, Iterator

from keyfob.cdms import accepting
from keyfob.cdms.call import Call
from keyfob.cdms.odm import json_writing, writing, writing2
from keyfob.cdms.odm.model import SubjectData
from keyfob.cdms.odm.writing import Head
from keyfob.oauth.wire import values

Writer = Callable[[Head, Iterable[SubjectData]], Iterator[bytes]]

ODM_1 = "application/xml; odm=1.3.2"
ODM_2 = "application/xml; odm=2.0"
JSON = "application/json"
CLINICAL: dict[str, Writer] = {
    ODM_1: writing.write_clinical,
    ODM_2: writing2.write_clinical,
    JSON: json_writing.write_clinical,
}


def chosen(call: Call) -> tuple[str, Writer]:
    """The media type that is wanted of clinical data, and who writes it. Raises ApiProblem (406)."""
    kind = accepted(call, *CLINICAL)
    return kind, CLINICAL[kind]


def accepted(call: Call, *offers: str) -> str:
    """The one of `offers` that the Accept header wants most; the first without one. Raises ApiProblem (406)."""
    found = values(call.headers, b"accept")
    return accepting.choose(b", ".join(found).decode("latin-1") if found else None, offers)


def headers(kind: str) -> tuple[tuple[bytes, bytes], ...]:
    return (b"content-type", kind.encode()), (b"vary", b"Accept")
