"""OpenAPI 3.1 out of the routes table: each operation with the scope that it needs."""

import json
import re

from keyfob import __version__
from keyfob.cdms.routes import ROUTES, SCOPES, Route
from keyfob.cdms.settings import Settings

_PARAMETER = re.compile(r"\{([a-z_]+)\}")


def write(settings: Settings) -> bytes:
    """The document at /openapi.json."""
    paths: dict[str, dict[str, object]] = {}
    for route in ROUTES:
        paths.setdefault(route.template, {})[route.method.lower()] = _operation(route)
    flow = {"tokenUrl": f"{settings.issuer}/oauth2/token", "scopes": SCOPES}
    document = {
        "openapi": "3.1.0",
        "info": {"title": "Keyfob CDMS", "version": __version__, "description": "Clinical data, CDISC ODM 1.3.2."},
        "servers": [{"url": settings.resource}],
        "paths": paths,
        "components": {
            "securitySchemes": {"oauth2": {"type": "oauth2", "flows": {"clientCredentials": flow}}},
            "schemas": {"Problem": _PROBLEM},
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _operation(route: Route) -> dict[str, object]:
    parameters = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARAMETER.findall(route.template)
    ] + [{"name": name, "in": "query", "schema": {"type": "string"}} for name in sorted(route.query)]
    refusal = {"description": "A problem", "content": {"application/problem+json": {"schema": _PROBLEM_REF}}}
    operation: dict[str, object] = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        # OpenAPI 3.1 §4.8.30: of several requirements one is enough.
        "security": [{"oauth2": [scope]} for scope in (route.scope, *sorted(route.also)) if scope],
        "responses": {"2XX": {"description": "Done", "content": {route.response: {}}}, "default": refusal},
    }
    if parameters:
        operation["parameters"] = parameters
    if route.request is not None:
        operation["requestBody"] = {"required": True, "content": {route.request: {}}}
    return operation


_PROBLEM_REF = {"$ref": "#/components/schemas/Problem"}
_PROBLEM = {
    "type": "object",
    "required": ["status", "code", "detail"],
    "properties": {
        "status": {"type": "integer"},
        "code": {"type": "string"},
        "detail": {"type": "string"},
        "error_id": {"type": "string"},
        "total": {"type": "integer"},
        "errors": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {
                    "code": {"type": "string"},
                    "pointer": {"type": "string"},
                    "line": {"type": "integer"},
                    "oid": {"type": "string"},
                    "message": {"type": "string"},
                },
            },
        },
    },
}
