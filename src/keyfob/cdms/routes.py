"""The one table of the API: method, path, scope and handler. Router, OpenAPI and the registered scopes come from it.

A route that is not here does not exist; a scope that is not here cannot be granted.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from keyfob.cdms.call import Answer, Call
from keyfob.cdms.datasets.reading import DSJC, MEDIA_TYPES, NDJSON
from keyfob.cdms.handlers import (
    batches,
    clinical_data,
    datasets,
    feeds,
    item_groups,
    lab_data,
    new_versions,
    public,
    studies,
    subject_changes,
    subjects,
)

SCOPES = {
    "studies:read": "Read studies and sites",
    "metadata:read": "Read study designs",
    "metadata:write": "Load study designs, and make them live",
    "subjects:read": "Read and look up subjects",
    "subjects:write": "Register subjects, change their status and site",
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
    `other_types`: media types that it takes besides `request`, or where it takes nothing gives besides `response`.
    `takes`, `gives`: the shapes (keyfob.cdms.shapes) of its JSON; `headers`: of conditions and reasons; `statuses`: of
    success.
    """

    method: str
    template: str
    scope: str | None
    handler: Callable[[Call], Answer]
    summary: str
    query: frozenset[str] = field(default=frozenset(), kw_only=True)
    request: str | None = field(default=None, kw_only=True)
    response: str = field(default="application/json", kw_only=True)
    other_types: tuple[str, ...] = field(default=(), kw_only=True)
    exports: bool = field(default=False, kw_only=True)
    other_scopes: frozenset[str] = field(default=frozenset(), kw_only=True)
    """Scopes each of which opens the route as well as `scope` does."""
    takes: str | None = field(default=None, kw_only=True)
    gives: str | None = field(default=None, kw_only=True)
    headers: frozenset[str] = field(default=frozenset(), kw_only=True)
    statuses: tuple[int, ...] = field(default=(200,), kw_only=True)

    @property
    def writes(self) -> bool:
        """Whether it changes something: a look-up by POST does not."""
        return self.scope is not None and self.scope.endswith(":write")


_STUDY = "/v1/studies/{study}"
_SUBJECT = _STUDY + "/subjects/{subject_id}"
_GROUP = _SUBJECT + "/events/{event}/forms/{form}/item-groups/{group}"
_XML = "application/xml"
_JSON = "application/json"

_CONDITIONS = frozenset({"If-Match", "If-None-Match"})
_REASON = frozenset({"Keyfob-Reason"})
_DATED = frozenset({"If-Modified-Since"})

ROUTES = (
    Route("GET", "/healthz", None, public.health, "The process answers", gives="Health"),
    Route("GET", "/v1/about", None, public.about, "Versions, issuer and formats", gives="About"),
    Route("GET", "/openapi.json", None, public.openapi, "This description"),
    Route(
        "GET", "/.well-known/oauth-protected-resource", None, public.resource_metadata, "Resource metadata (RFC 9728)"
    ),
    Route("GET", "/v1/studies", "studies:read", studies.list_studies, "The studies that are granted", gives="Studies"),
    Route("GET", _STUDY, "studies:read", studies.get_study, "One study", gives="StudyDetails"),
    Route("GET", _STUDY + "/sites", "studies:read", studies.list_sites, "The sites of a study", gives="Sites"),
    Route("GET", _STUDY + "/sites/{site}", "studies:read", studies.get_site, "One site", gives="Site"),
    Route(
        "GET", _STUDY + "/metadata", "metadata:read", studies.get_metadata, "The live design, as ODM",
        response=_XML, other_types=(_JSON,), gives="OdmDesign",
    ),
    Route(
        "GET", _STUDY + "/metadata/{version}", "metadata:read", studies.get_metadata_version, "One design, as ODM",
        response=_XML, other_types=(_JSON,), gives="OdmDesign",
    ),
    Route(
        "PUT", _STUDY + "/metadata/{version}", "metadata:write", new_versions.put_version,
        "Load a design, as a draft or live", request=_XML, query=new_versions.QUERY, gives="StoredVersion",
        headers=_CONDITIONS | _REASON, statuses=(200, 201),
    ),
    Route(
        "GET", _STUDY + "/subjects", "subjects:read", subjects.list_subjects, "Subjects, in the order of their keys",
        query=subjects.QUERY, gives="Subjects",
    ),
    Route(
        "POST", _STUDY + "/subjects", "subjects:write", subjects.register, "Register a subject", request=_JSON,
        takes="NewSubject", gives="Subject", statuses=(201,),
    ),
    Route(
        "POST", _STUDY + "/subjects/lookup", "subjects:read", subjects.look_up, "Find by key", request=_JSON,
        takes="SubjectKey", gives="Subject",
    ),
    Route("GET", _SUBJECT, "subjects:read", subjects.get_subject, "One subject", gives="Subject"),
    Route(
        "PATCH", _SUBJECT, "subjects:write", subject_changes.change_subject, "Change a subject's status or site",
        request=_JSON, takes="SubjectChange", gives="Subject", headers=frozenset({"If-Match"}),
    ),
    Route(
        "GET", _SUBJECT + "/clinical-data", "clinical-data:read", clinical_data.get_subject_clinical_data,
        "All data of a subject, as ODM", response=_XML, exports=True, other_types=(_JSON,), gives="OdmClinicalData",
    ),
    Route(
        "GET", _GROUP, "clinical-data:read", item_groups.get_group, "One item group", query=item_groups.QUERY,
        gives="ItemGroup",
    ),
    Route(
        "PUT", _GROUP, "clinical-data:write", item_groups.put_group, "Store one whole item group", request=_JSON,
        query=item_groups.QUERY, takes="ItemGroupToStore", gives="ItemGroup", headers=_CONDITIONS, statuses=(200, 201),
    ),
    Route(
        "DELETE", _GROUP, "clinical-data:write", item_groups.delete_group, "Remove one item group",
        query=item_groups.QUERY, headers=frozenset({"If-Match"}) | _REASON, statuses=(204,),
    ),
    Route(
        "POST", _STUDY + "/clinical-data", "clinical-data:write", clinical_data.post_clinical_data,
        "Store an ODM file, whole or not at all", request=_XML, query=clinical_data.QUERY, gives="Receipt",
        other_types=(_JSON,), takes="OdmClinicalData",
    ),
    Route(
        "GET", _STUDY + "/clinical-data", "clinical-data:read", clinical_data.get_clinical_data,
        "All data of a study, as ODM", response=_XML, exports=True, query=clinical_data.EXPORT_QUERY,
        other_types=(_JSON,), gives="OdmClinicalData",
    ),
    Route(
        "GET", _STUDY + "/changes", "changes:read", feeds.get_changes, "Changes", query=feeds.CHANGES_QUERY,
        gives="Changes",
    ),
    Route(
        "GET", _STUDY + "/audit", "audit:read", feeds.get_audit, "Audit trail", query=feeds.AUDIT_QUERY,
        gives="AuditTrail", other_types=(_XML,),
    ),
    Route(
        "GET", _STUDY + "/datasets", "datasets:read", datasets.list_datasets, "The datasets of a study",
        gives="Datasets", headers=_DATED,
    ),
    Route(
        "GET", _STUDY + "/datasets/{dataset}", "datasets:read", datasets.get_dataset,
        "One dataset, as Dataset-JSON 1.1", query=datasets.QUERY, exports=True, gives="Dataset",
        other_types=(NDJSON, DSJC), headers=_DATED,
    ),
    Route(
        "PATCH", _STUDY + "/datasets/{dataset}", "lab-data:write", lab_data.patch_dataset,
        "Add rows to an external dataset", request=_JSON, query=lab_data.QUERY, takes="Rows", gives="RowReceipt",
        headers=_REASON, other_types=tuple(sorted(MEDIA_TYPES.keys() - {_JSON})),
    ),
    Route(
        "GET", "/v1/batches/{batch}", "batches:read", batches.get_batch, "The receipt of a batch of one's own",
        other_scopes=batches.WRITERS, gives="Batch",
    ),
)  # fmt: skip
