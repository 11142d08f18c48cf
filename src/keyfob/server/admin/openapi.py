"""OpenAPI 3.1 out of the table of operations: each with the scope that it needs, and the schema of its input."""

import json
from typing import Any

from keyfob import __version__
from keyfob.server.admin.operation import Operation
from keyfob.server.admin.table import OPERATIONS
from keyfob.server.lifecycle.operators import SCOPES

PATH = "/admin/v1/openapi.json"
KEY_HEADER = "Idempotency-Key"
REASON_HEADER = "Keyfob-Reason"
_ERROR = {"$ref": "#/components/schemas/Error"}
_ERROR_SCHEMA = {
    "type": "object",
    "required": ["error", "error_id"],
    "properties": {
        "error": {"type": "string", "description": "A stable code."},
        "message": {"type": "string"},
        "hint": {"type": "string", "description": "What mends it."},
        "error_id": {"type": "string"},
    },
}
_HEADERS = {
    KEY_HEADER: ("A name for this act: the same request again within a day is answered alike, and done once.", 128),
    REASON_HEADER: ("What it is done for, in UTF-8: it stands in the audit.", 512),
}


def write(issuer: str) -> bytes:
    """The document at PATH."""
    paths: dict[str, dict[str, object]] = {}
    for operation in OPERATIONS:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation)
    flow = {"tokenUrl": f"{issuer}/oauth2/token", "scopes": SCOPES}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Keyfob admin API", "version": __version__, "description": "For operators."},
        "servers": [{"url": issuer}],
        "paths": paths,
        "components": {
            "securitySchemes": {"oauth2": {"type": "oauth2", "flows": {"clientCredentials": flow}}},
            "schemas": {"Error": _ERROR_SCHEMA},
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _operation(operation: Operation[Any]) -> dict[str, object]:
    schema = operation.schema()
    members, required = schema["properties"], schema.get("required", [])
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": members[name] | {"pattern": "^[^/\\\\\\x00-\\x1f]+$"}}
        for name in operation.names
    ]
    if operation.acts:
        parameters += [_header(name, text, longest) for name, (text, longest) in _HEADERS.items()]
    else:
        parameters += [
            {"name": name, "in": "query", "required": name in required, "schema": _plain(members[name])}
            for name in operation.others
        ]
    if operation.versioned and operation.acts:
        parameters.append(_header("If-Match", "The version (ETag) that it must still have.", 64))
    described: dict[str, object] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "security": [{"oauth2": [operation.scope]}],
        "parameters": parameters,
        "responses": _responses(operation),
    }
    if operation.acts and operation.others:
        body = {
            "type": "object",
            "properties": {name: members[name] for name in operation.others},
            "required": [name for name in required if name in operation.others],
            "additionalProperties": False,
        }
        is_required = bool(body["required"])
        described["requestBody"] = {"required": is_required, "content": {"application/json": {"schema": body}}}
    return described


def _responses(operation: Operation[Any]) -> dict[str, object]:
    document = {"content": {"application/json": {"schema": {"type": "object"}}}}
    found: dict[str, object] = {"200": {"description": "Done", **document}}
    if operation.needs:
        found["202"] = {"description": "It waits for a second operator", **document}
    refusal = {"content": {"application/json": {"schema": _ERROR}}}
    return {**found, "default": {"description": "Not done", **refusal}}


def _header(name: str, text: str, longest: int) -> dict[str, object]:
    schema = {"type": "string", "minLength": 1, "maxLength": longest, "pattern": "^[!-~]+$"}
    return {"name": name, "in": "header", "required": False, "description": text, "schema": schema}


def _plain(schema: dict[str, Any]) -> dict[str, Any]:
    """Of a parameter that may be left out: in a URL there is no null."""
    kept = {name: value for name, value in schema.items() if name != "default" or value is not None}
    choices = [one for one in kept.pop("anyOf", []) if one != {"type": "null"}]
    return {**kept, **choices[0]} if choices else kept
