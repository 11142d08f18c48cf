"""The one table of the API: method, path, scope and handler. Router, OpenAPI and the registered scopes come from it.

A route that is not here does not exist; a scope that is not here cannot be granted.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from keyfob.cdms.call import Answer, Call
from keyfob.cdms.handlers import (
    batches,
    clinical_data,
    datasets,
    feeds,
    item_groups,
    lab_data,
    public,
    studies,
    subjects,
)
from keyfob.cdms.problems import ApiProblem, not_found

SCOPES = {
    "studies:read": "Read studies and sites",
    "metadata:read": "Read study designs",
    "subjects:read": "Read and look up subjects",
    "subjects:write": "Register subjects",
    "clinical-data:read": "Read clinical data",
    "clinical-data:write": "Write and remove clinical data",
    "lab-data:write": "Add rows to the external datasets of a study",
    "datasets:read": "Read datasets",
    "batches:read": "Read the receipts of what was sent",
    "changes:read": "Follow the changes of clinical data",
    "audit:read": "Read the audit trail",
    "identifiers:read": "See items that identify a person, wherever clinical data are read",
}
"""The closed list. No scope implies another."""

WITHOUT_ROUTE = frozenset({"identifiers:read"})


@dataclass(frozen=True, slots=True)
class Route:
    """`scope` None: public, and answered from memory. `query` names the parameters that are known; others are refused.

    `exports`: its answer holds a snapshot until it is read, so that a client has only a few of them at once.
    """

    method: str
    template: str
    scope: str | None
    handler: Callable[[Call], Answer]
    summary: str
    query: frozenset[str] = field(default=frozenset(), kw_only=True)
    request: str | None = field(default=None, kw_only=True)
    response: str = field(default="application/json", kw_only=True)
    exports: bool = field(default=False, kw_only=True)
    also: frozenset[str] = field(default=frozenset(), kw_only=True)
    """Scopes each of which opens the route as well as `scope` does."""


_STUDY = "/v1/studies/{study}"
_SUBJECT = _STUDY + "/subjects/{subject_id}"
_GROUP = _SUBJECT + "/events/{event}/forms/{form}/item-groups/{group}"
_XML = "application/xml"
_JSON = "application/json"

ROUTES = (
    Route("GET", "/healthz", None, public.health, "The process answers"),
    Route("GET", "/v1/about", None, public.about, "Versions, issuer and formats"),
    Route("GET", "/openapi.json", None, public.openapi, "This description"),
    Route(
        "GET", "/.well-known/oauth-protected-resource", None, public.resource_metadata, "Resource metadata (RFC 9728)"
    ),
    Route("GET", "/v1/studies", "studies:read", studies.list_studies, "The studies that are granted"),
    Route("GET", _STUDY, "studies:read", studies.get_study, "One study"),
    Route("GET", _STUDY + "/sites", "studies:read", studies.list_sites, "The sites of a study"),
    Route("GET", _STUDY + "/sites/{site}", "studies:read", studies.get_site, "One site"),
    Route("GET", _STUDY + "/metadata", "metadata:read", studies.get_metadata, "The live design, as ODM", response=_XML),
    Route(
        "GET", _STUDY + "/metadata/{version}", "metadata:read", studies.get_metadata_version, "One design, as ODM",
        response=_XML,
    ),
    Route(
        "GET", _STUDY + "/subjects", "subjects:read", subjects.list_subjects, "Subjects, in the order of their keys",
        query=frozenset({"site", "status", "limit", "cursor"}),
    ),
    Route("POST", _STUDY + "/subjects", "subjects:write", subjects.register, "Register a subject", request=_JSON),
    Route("POST", _STUDY + "/subjects/lookup", "subjects:read", subjects.look_up, "Find by key", request=_JSON),
    Route("GET", _SUBJECT, "subjects:read", subjects.get_subject, "One subject"),
    Route(
        "GET", _SUBJECT + "/clinical-data", "clinical-data:read", clinical_data.get_subject_clinical_data,
        "All data of a subject, as ODM", response=_XML, exports=True,
    ),
    Route("GET", _GROUP, "clinical-data:read", item_groups.get_group, "One item group", query=item_groups.QUERY),
    Route(
        "PUT", _GROUP, "clinical-data:write", item_groups.put_group, "Store one whole item group", request=_JSON,
        query=item_groups.QUERY,
    ),
    Route(
        "DELETE", _GROUP, "clinical-data:write", item_groups.delete_group, "Remove one item group",
        query=item_groups.QUERY,
    ),
    Route(
        "POST", _STUDY + "/clinical-data", "clinical-data:write", clinical_data.post_clinical_data,
        "Store an ODM file, whole or not at all", request=_XML, query=clinical_data.QUERY,
    ),
    Route(
        "GET", _STUDY + "/clinical-data", "clinical-data:read", clinical_data.get_clinical_data,
        "All data of a study, as ODM", response=_XML, exports=True,
    ),
    Route("GET", _STUDY + "/datasets", "datasets:read", datasets.list_datasets, "The datasets of a study"),
    Route(
        "GET", _STUDY + "/datasets/{dataset}", "datasets:read", datasets.get_dataset,
        "One dataset, as Dataset-JSON 1.1", query=datasets.QUERY, exports=True,
    ),
    Route(
        "PATCH", _STUDY + "/datasets/{dataset}", "lab-data:write", lab_data.patch_dataset,
        "Add rows to an external dataset", request=_JSON, query=lab_data.QUERY,
    ),
    Route(
        "GET", "/v1/batches/{batch}", "batches:read", batches.get_batch, "The receipt of a batch of one's own",
        also=batches.WRITERS,
    ),
    Route("GET", _STUDY + "/changes", "changes:read", feeds.get_changes, "Changes", query=feeds.CHANGES_QUERY),
    Route("GET", _STUDY + "/audit", "audit:read", feeds.get_audit, "Audit trail", query=feeds.AUDIT_QUERY),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Match:
    route: Route
    params: dict[str, str]


def match(method: str, raw_path: bytes) -> Match:
    """The route for a path as it is on the wire. Raises ApiProblem: 400, 404 or 405.

    The path is split first and decoded after, so that an encoded slash can never make a segment; one that holds a
    slash is refused, since two readers would read it as two things.
    """
    segments = [_decode(segment) for segment in raw_path.split(b"/")]
    fitting = [(route, params) for route in ROUTES if (params := _params(route.template, segments)) is not None]
    if not fitting:
        raise not_found()
    # A literal segment goes before a parameter: `subjects/lookup` is no subject.
    fewest = min(len(params) for _, params in fitting)
    best = [(route, params) for route, params in fitting if len(params) == fewest]
    for route, params in best:
        if method in (route.method, "HEAD" if route.method == "GET" else route.method):
            return Match(route, params)
    methods = sorted({route.method for route, _ in best})
    allow = ", ".join(methods + (["HEAD"] if "GET" in methods else []))
    raise ApiProblem(405, "method-not-allowed", f"use {allow}", headers={"allow": allow})


def _decode(segment: bytes) -> str:
    decoded = unquote_to_bytes(segment)
    if b"/" in decoded or b"\\" in decoded:
        raise ApiProblem(400, "encoded-slash", "a path segment must not hold a slash or backslash")
    try:
        text = decoded.decode("utf-8")
    except UnicodeDecodeError:
        raise ApiProblem(400, "bad-path", "the path is not UTF-8") from None
    if text in (".", "..") or not text.isprintable():
        raise ApiProblem(400, "bad-path", "the path has a segment that means something else elsewhere")
    return text


def _params(template: str, segments: list[str]) -> dict[str, str] | None:
    wanted = template.split("/")
    if len(wanted) != len(segments):
        return None
    params: dict[str, str] = {}
    for name, segment in zip(wanted, segments, strict=True):
        if name.startswith("{"):
            if not segment:
                return None
            params[name[1:-1]] = segment
        elif name != segment:
            return None
    return params
