"""The JSON documents of the API as schemas (JSON Schema 2020-12), by the names that OpenAPI gives them."""

from collections.abc import Mapping

from keyfob.cdms.call import MAX_REASON
from keyfob.cdms.odm.datasets import DATA_TYPES
from keyfob.cdms.odm_shapes import ODM_SCHEMAS
from keyfob.cdms.problems import MAX_SHOWN
from keyfob.cdms.storage.records import Status

Schema = Mapping[str, object]

_TEXT: Schema = {"type": "string"}
_TEXT_OR_NULL: Schema = {"type": ["string", "null"]}
_COUNT: Schema = {"type": "integer", "minimum": 0}
_TIME: Schema = {"type": "string", "format": "date-time", "description": "UTC."}
_STATUS: Schema = {"type": "string", "enum": list(Status)}
_REASON: Schema = {"type": ["string", "null"], "maxLength": MAX_REASON, "description": "Why, for the audit trail."}
IN_QUERY: Schema = {"type": "string", "pattern": r"^[^\x00]*$"}
_WORDS: Schema = {"type": "string", "pattern": "^[ -~]*$"}
"""In a header; other characters come as UTF-8, which tools that know only Latin-1 do not send."""
_VALUE: Schema = {"type": "string", "description": "As it was sent: 39.0 stays 39.0."}


def _object(properties: Mapping[str, Schema], *optional: str, closed: bool = False, **more: object) -> Schema:
    required = [name for name in properties if name not in optional]
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        **({"additionalProperties": False} if closed else {}),
        **more,
    }


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _many(name: str, **more: object) -> Schema:
    return {"type": "array", "items": _ref(name), **more}


def _list(name: str) -> Schema:
    return _object({"items": _many(name), "next": {**_TEXT_OR_NULL, "description": "The cursor of what follows."}})


def _feed(name: str) -> Schema:
    return _object(
        {
            "items": _many(name),
            "next_after": {**_COUNT, "description": "Go on with after=this: also where nothing of it was shown."},
            "high_water": {**_COUNT, "description": "The number of the newest change of the study."},
            "epoch": {**_TEXT, "description": "Another one means: begin again, the numbers mean something else now."},
        }
    )


_STUDY: Mapping[str, Schema] = {
    "study": {**_TEXT, "description": "Its name in paths."},
    "oid": _TEXT,
    "name": _TEXT,
    "high_water": _COUNT,
}
_FINDING: Mapping[str, Schema] = {
    "code": _TEXT,
    "pointer": {**_TEXT, "description": "Where in what was sent: an XPath, a JSON Pointer or a row."},
    "message": _TEXT,
    "line": {"type": "integer", "minimum": 1},
    "oid": _TEXT,
}
_ENTRY: Mapping[str, Schema] = {
    "seq": {"type": "integer", "minimum": 1},
    "at": _TIME,
    "action": _TEXT,
    "subject_id": _TEXT_OR_NULL,
}

_ROWS: Schema = {"type": "array", "items": {"type": "array"}}
_DATASET: Mapping[str, Schema] = {
    "datasetJSONCreationDateTime": _TEXT, "datasetJSONVersion": {"type": "string", "pattern": r"^1\.1(\.|$)"},
    "fileOID": _TEXT, "dbLastModifiedDateTime": _TEXT, "originator": _TEXT,
    "sourceSystem": _object({"name": _TEXT, "version": _TEXT}), "studyOID": _TEXT, "metaDataVersionOID": _TEXT,
    "metaDataRef": _TEXT, "itemGroupOID": _TEXT, "records": _COUNT, "name": _TEXT, "label": _TEXT,
    "columns": _many("Column"),
}  # fmt: skip
_DATASET_NEEDS = frozenset({"datasetJSONVersion", "itemGroupOID", "records", "columns"})
_ROW_RECEIPT: Mapping[str, Schema] = {
    "batch": {**_TEXT_OR_NULL, "description": "null when nothing was kept: a dry run."},
    "sent": _COUNT, "stored": _COUNT, "unchanged": _COUNT, "refused": _COUNT,
    "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$", "description": "Of the body."},
    "warnings": _many("Finding", maxItems=MAX_SHOWN), "warnings_total": _COUNT,
    "errors": _many("Finding", maxItems=MAX_SHOWN), "errors_total": _COUNT,
    "errors_by_code": {"type": "object", "additionalProperties": _COUNT},
}  # fmt: skip

SCHEMAS: Mapping[str, Schema] = {
    **ODM_SCHEMAS,
    "Problem": _object(
        {
            "type": _TEXT,
            "title": _TEXT,
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "code": {**_TEXT, "description": "Stable, for programs."},
            "detail": _TEXT,
            "error_id": {**_TEXT, "description": "As in the header Keyfob-Request-Id."},
            "errors": _many("Finding", maxItems=MAX_SHOWN),
            "total": {**_COUNT, "description": "How many errors there are, also beyond those that are shown."},
            "scope": {**_TEXT, "description": "What the route needs."},
        },
        "errors",
        "total",
        "scope",
        description="RFC 9457.",
    ),
    "Finding": _object(_FINDING, "line", "oid"),
    "Health": _object({"status": {"const": "ok"}}),
    "About": _object(
        {
            "name": _TEXT, "version": _TEXT, "resource": _TEXT, "issuer": _TEXT,
            "formats": {"type": "array", "items": _TEXT}, "documentation": _TEXT,
        }
    ),
    "Study": _object(_STUDY),
    "Studies": _list("Study"),
    "StudyDetails": _object({**_STUDY, "protocol": _TEXT, "metadata_version": _TEXT_OR_NULL, "subjects": _COUNT}),
    "Site": _object({"site": _TEXT, "name": _TEXT, "status": {"enum": ["open", "closed"]}}),
    "Sites": _list("Site"),
    "StoredVersion": _object(
        {
            "version": _TEXT,
            "sha256": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
            "state": {"enum": ["draft", "live", "superseded"]},
            "document": {"enum": ["created", "replaced", "unchanged"]},
        }
    ),
    "Subject": _object(
        {
            "subject_id": {**_TEXT, "description": "Ours and opaque: for paths and logs."},
            "key": {**_TEXT, "description": "The site's own."},
            "site": _TEXT_OR_NULL,
            "status": _STATUS,
            "version": {"type": "integer", "minimum": 1},
        }
    ),
    "Subjects": _list("Subject"),
    "NewSubject": _object(
        {
            "key": {"type": "string", "minLength": 1, "maxLength": 64, "pattern": r"^[^\s/]+$"},
            "site": {"type": ["string", "null"], "minLength": 1},
            "status": {"enum": [Status.SCREENED, Status.ENROLLED]},
            "reason": _REASON,
        },
        "site",
        "status",
        "reason",
        closed=True,
    ),
    "SubjectKey": _object({"key": {"type": "string", "minLength": 1, "maxLength": 64}}, closed=True),
    "SubjectChange": _object(
        {
            "status": {**_STATUS, "description": "From screened to enrolled to completed, or to an end."},
            "site": {"type": ["string", "null"], "minLength": 1},
            "reason": {**_REASON, "type": "string", "minLength": 1},
        },
        "status",
        "site",
        closed=True,
        anyOf=[{"required": ["status"]}, {"required": ["site"]}],
    ),
    "Item": _object(
        {"oid": _TEXT, "value": _VALUE, "null": {"type": "boolean"}, "unit": _TEXT}, "value", "null", "unit",
        closed=True, description="It has a value, or null: true.",
    ),
    "ItemGroup": _object({"items": _many("Item"), "version": {"type": "integer", "minimum": 1}}),
    "ItemGroupToStore": _object(
        {"items": _many("Item", minItems=1), "reason": _REASON}, "reason", closed=True,
        description="All of it: what it does not name is removed, but for what the token does not let be seen.",
    ),
    "Receipt": _object(
        {
            "batch": {**_TEXT_OR_NULL, "description": "null when nothing was kept: a dry run."},
            "stored": _COUNT, "unchanged": _COUNT, "refused": _COUNT, "subjects_registered": _COUNT,
            "subjects_refused": _COUNT, "warnings": _many("Finding", maxItems=MAX_SHOWN), "warnings_total": _COUNT,
            "errors": _many("Finding", maxItems=MAX_SHOWN), "errors_total": _COUNT,
        },
        description="sent = stored + unchanged + refused.",
    ),
    "DatasetEntry": _object(
        {
            "itemGroupOID": _TEXT, "name": _TEXT, "label": _TEXT, "records": _COUNT,
            "href": {"type": "string", "format": "uri"}, "datasetJSONCreationDateTime": _TIME,
            "external": {"type": "boolean", "description": "Rows may be added, with lab-data:write."},
        }
    ),
    "Datasets": {"type": "array", "items": _ref("DatasetEntry")},
    "Column": _object(
        {
            "itemOID": _TEXT, "name": _TEXT, "label": _TEXT,
            "dataType": {"enum": sorted(DATA_TYPES)},
            "targetDataType": {"enum": ["integer", "decimal"]}, "length": {"type": "integer", "minimum": 1},
            "displayFormat": _TEXT, "keySequence": {"type": "integer", "minimum": 1},
        },
        "targetDataType", "length", "displayFormat", "keySequence",
    ),
    "Dataset": _object(
        {**_DATASET, "rows": _ROWS}, *_DATASET, "rows",
        description="CDISC Dataset-JSON 1.1; without `rows`, or with nothing else, where that was asked for.",
    ),
    "Rows": {
        "anyOf": [
            _object({"rows": _ROWS}, closed=True, description="In the order of the dataset's columns."),
            _object({**_DATASET, "rows": _ROWS}, *_DATASET.keys() - _DATASET_NEEDS, description="Dataset-JSON 1.1."),
        ]
    },
    "RowReceipt": _object(_ROW_RECEIPT, description="sent = stored + unchanged + refused."),
    "Batch": _object(
        {
            "batch": _TEXT, "study": _TEXT, "at": _TIME, "file_oid": _TEXT, "sha256": _TEXT, "stored": _COUNT,
            "unchanged": _COUNT, "refused": _COUNT, "warnings": _many("Finding"), "errors": _many("Finding"),
        },
        "stored", "unchanged", "refused", "warnings", "errors",
        description="A receipt as it was given, and when. Of a batch of earlier versions the receipt was not kept.",
    ),
    "Place": _object(
        dict.fromkeys(
            ("event", "event_repeat", "form", "form_repeat", "item_group", "item_group_repeat", "item"), _TEXT_OR_NULL
        )
    ),
    "Change": _object({**_ENTRY, "place": _ref("Place"), "value": {}}),
    "Changes": _feed("Change"),
    "AuditRecord": _object(
        {
            **_ENTRY, "place": _ref("Place"), "old": {}, "new": {}, "reason": _TEXT,
            "soft_checks": {"type": "array", "items": _TEXT}, "batch": _TEXT, "client_id": _TEXT, "token_id": _TEXT,
            "operator": {**_TEXT, "description": "The client's own, or who acted at the API's command line."},
            "site": _TEXT, "name": _TEXT, "version": _TEXT, "sha256": _TEXT, "epoch": _TEXT,
            "status": {"enum": ["open", "closed"], "description": "What became of a site."},
            "redacted": {"type": "array", "items": {"type": "integer"}},
        },
        "place", "old", "new", "reason", "soft_checks", "batch", "client_id", "token_id", "operator", "site", "name",
        "status", "version", "sha256", "epoch", "redacted",
    ),
    "AuditTrail": _feed("AuditRecord"),
}  # fmt: skip

PARAMETERS: Mapping[str, Schema] = {
    "limit": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100},
    "get_dataset limit": {**_COUNT, "maximum": 10**9 - 1, "default": 0, "description": "0: all."},
    "after": {**_COUNT, "default": 0, "description": "At most the study's high_water."},
    "as_of_seq": {**_COUNT, "description": "At most the study's high_water: what was there then."},
    "place": {
        **IN_QUERY,
        "pattern": r"^(/[^/\x00]*){0,4}$",
        "description": "Event, form, item group and item, or the first of them: a JSON Pointer of OIDs (RFC 6901).",
    },
    "epoch": {**IN_QUERY, "description": "As in the page before: 409 when it is another by now."},
    "updated_after_seq": {**_COUNT, "description": "At most the study's high_water."},
    "cursor": {**IN_QUERY, "description": "`next` of the page before, with the same filter."},
    "status": _STATUS,
    "state": {"enum": ["draft", "live"], "default": "draft"},
    "metadataonly": {"type": "boolean", "default": False},
    "dataonly": {"type": "boolean", "default": False},
    "offset": {**_COUNT, "maximum": 10**9 - 1, "default": 0},
    "dry_run": {"type": "boolean", "default": False},
    "strict": {"type": "boolean", "default": False},
    "on_error": {"enum": ["refuse", "skip"], "default": "refuse"},
    "erk": {**IN_QUERY, "description": "StudyEventRepeatKey."},
    "frk": {**IN_QUERY, "description": "FormRepeatKey."},
    "igrk": {**IN_QUERY, "description": "ItemGroupRepeatKey."},
}
"""Of queries, by name, or by operation and name; those that are not here are IN_QUERY."""

HEADERS: Mapping[str, Schema] = {
    "If-Match": {**_TEXT, "description": "The ETag of what is to be changed (428 without)."},
    "If-None-Match": {**_TEXT, "description": "On a write: `*`, to create. On a read: the ETag of what is known."},
    "If-Modified-Since": {**_TEXT, "description": "The Last-Modified of what is known; without If-None-Match."},
    "Idempotency-Key": {
        "type": "string", "minLength": 1, "maxLength": 256, "pattern": "^[!-~]+$",
        "description": "The same request again is answered alike for 30 days, and done once.",
    },
    "Keyfob-Reason": {**_WORDS, "maxLength": MAX_REASON, "description": "Why, for the audit trail; in UTF-8."},
    "Keyfob-Operator": {**_WORDS, "maxLength": 128, "description": "Which of the client's own did it; in UTF-8."},
}  # fmt: skip
