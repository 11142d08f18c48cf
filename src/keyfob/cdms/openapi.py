"""OpenAPI 3.1 out of the routes table: each operation with the scope that it needs, and the shapes of both sides."""

import json
import re
from collections.abc import Iterator

from keyfob import __version__
from keyfob.cdms.routes import ROUTES, SCOPES, Route
from keyfob.cdms.settings import Settings
from keyfob.cdms.shapes import HEADERS, IN_QUERY, PARAMETERS, SCHEMAS

_PARAMETER = re.compile(r"\{([a-z_]+)\}")
_SEGMENT = {"type": "string", "minLength": 1, "pattern": r"^[^/\\\x00-\x1f]+$"}
_PHRASES = {200: "Done", 201: "Made", 204: "Done; there is nothing to say", 304: "As it was"}
_ON_WRITES = ("Idempotency-Key", "Keyfob-Operator")
_ON_READS = ("If-None-Match",)


def write(settings: Settings) -> bytes:
    """The document at /openapi.json."""
    paths: dict[str, dict[str, object]] = {}
    for route in ROUTES:
        paths.setdefault(route.template, {})[route.method.lower()] = _operation(route)
    flow = {"tokenUrl": f"{settings.issuer}/oauth2/token", "scopes": SCOPES}
    document = {
        "openapi": "3.1.0",
        "info": {
            "title": "Keyfob CDMS",
            "version": __version__,
            "description": "Clinical data of granted studies, sites and forms, as CDISC ODM and as JSON.",
        },
        "servers": [{"url": settings.resource}],
        "paths": paths,
        "components": {
            "securitySchemes": {"oauth2": {"type": "oauth2", "flows": {"clientCredentials": flow}}},
            "schemas": SCHEMAS,
        },
    }
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode()


def _operation(route: Route) -> dict[str, object]:
    operation: dict[str, object] = {
        "operationId": route.handler.__name__,
        "summary": route.summary,
        # OpenAPI 3.1 §4.8.30: of several requirements one is enough.
        "security": [{"oauth2": [scope]} for scope in (route.scope, *sorted(route.other_scopes)) if scope],
        "parameters": list(_parameters(route)),
        "responses": _responses(route),
    }
    if route.request is not None:
        operation["requestBody"] = {
            "required": True, "content": _content((route.request, *route.other_types), route.takes),
        }  # fmt: skip
    return operation


def _parameters(route: Route) -> Iterator[dict[str, object]]:
    for name in _PARAMETER.findall(route.template):
        yield {"name": name, "in": "path", "required": True, "schema": _SEGMENT}
    for name in sorted(route.query):
        own = PARAMETERS.get(f"{route.handler.__name__} {name}")
        yield {"name": name, "in": "query", "schema": own or PARAMETERS.get(name, IN_QUERY)}
    of_its_kind = _ON_WRITES if route.writes else _ON_READS if route.method == "GET" else ()
    for name in (*sorted(route.headers), *of_its_kind):
        yield {"name": name, "in": "header", "schema": HEADERS[name]}


def _responses(route: Route) -> dict[str, object]:
    kinds = (route.response, *(() if route.request else route.other_types))
    found: dict[str, object] = {
        str(status): {"description": _PHRASES[status]}
        | ({"headers": _TAGGED} if status != 204 else {})
        | ({"content": _content(kinds, route.gives)} if status in (200, 201) else {})
        for status in (*route.statuses, *((304,) if route.method == "GET" else ()))
    }
    refusal = {"application/problem+json": {"schema": _reference("Problem")}}
    return {**found, "default": {"description": "Not done", "content": refusal}}


def _content(kinds: tuple[str, ...], shape: str | None) -> dict[str, object]:
    """Of each media type what it holds: a shape is of JSON."""
    return {kind: {"schema": _reference(shape)} if shape and kind == _JSON else {} for kind in kinds}


_JSON = "application/json"
_TAGGED = {"ETag": {"schema": {"type": "string"}}}


def _reference(name: str) -> dict[str, str]:
    assert name in SCHEMAS, f"{name} is described nowhere"
    return {"$ref": f"#/components/schemas/{name}"}
