"""Which scopes a request needs, for an API that the guard stands in front of: by its OpenAPI document or a small table.

What the table does not name is refused: there is no route that nobody thought of.
"""

import re
from dataclasses import dataclass

from keyfob import api_description
from keyfob.api_description import Description, MalformedDescription, Operation
from keyfob.guard import paths
from keyfob.oauth import scope as scopes
from keyfob.oauth import strict_json
from keyfob.oauth.errors import InvalidRequest, InvalidScope, OAuthError
from keyfob.oauth.scope import Scope
from keyfob.problem import Misuse

MAX_BYTES = api_description.MAX_BYTES
# Between two of these a proxy or a framework may see fewer segments than we: `//` is merged, `;x` is cut off.
_READ_DIFFERENTLY = re.compile(rb"//|;|%3b", re.IGNORECASE)
_ROUTE = re.compile(r"(GET|HEAD|PUT|POST|DELETE|OPTIONS|PATCH|TRACE) (/[!-~]*)")


class UnknownRoute(OAuthError):
    """The table has no such method and path: deny by default."""

    code = "unknown_route"
    status = 404

    def __init__(self, *, detail: str = "") -> None:
        super().__init__("this API has no such route", detail=detail)


@dataclass(frozen=True, slots=True)
class RouteTable:
    """The operations of an API. Whoever made it from a file knows that each can be decided."""

    description: Description

    def find(self, method: str, path: bytes) -> Operation:
        """The route of a request; `path` as it came, percent-encoded. Raises InvalidRequest or UnknownRoute."""
        paths.check(path)
        if _READ_DIFFERENTLY.search(path):
            raise InvalidRequest("the path can be read as two things: no empty segments, no semicolons")
        found = self.description.find(method, path.decode("ascii"))
        if found is None:
            raise UnknownRoute(detail=f"no route for {method}")
        return found


def read(body: bytes, *, resource: str, source: str) -> RouteTable:
    """The table in an OpenAPI 3 document, or in JSON as `{"GET /orders/{id}": "orders:read", "GET /health": null}`.

    A value is what the route needs: scopes with a space between them (each), a list of such (any), or null (no token).
    `source`: the file's name, for the words of a refusal. Raises Misuse.
    """
    try:
        document = strict_json.parse(body) if len(body) <= MAX_BYTES else None
        if not isinstance(document, dict):
            raise MalformedDescription("it is no JSON object")
        if "openapi" in document:
            description = api_description.read(body, resource=resource)
        else:
            description = Description(tuple(_operation(route, needed) for route, needed in document.items()))
        _check(description)
    except ValueError as wrong:
        raise Misuse(
            "bad-routes",
            f"{source} is no table of routes: {wrong}",
            hint='an OpenAPI 3 document, or {"GET /orders/{id}": "orders:read", "GET /health": null}',
        ) from wrong
    return RouteTable(description)


def _operation(route: str, needed: object) -> Operation:
    matched = _ROUTE.fullmatch(route)
    if matched is None:
        raise ValueError(f"{route!r} is not METHOD /path")
    alternatives = needed if isinstance(needed, list) else [needed]
    return Operation(matched[1].lower(), matched[2], tuple(_scope(route, one) for one in alternatives))


def _scope(route: str, needed: object) -> Scope | None:
    if needed is None:
        return None
    try:
        if isinstance(needed, str):
            return scopes.parse(needed)
    except InvalidScope:
        pass
    raise ValueError(f"{route!r} needs scopes, a list of them, or null")


def _check(description: Description) -> None:
    if not description.operations:
        raise ValueError("it has no route")
    seen: dict[tuple[str, str], str] = {}
    for operation in description.operations:
        name = f"{operation.method.upper()} {operation.template}"
        if not operation.alternatives:
            raise ValueError(f"{name} takes no access token: leave it out, or say its scopes")
        # `/a/{x}` and `/a/{y}` are one route: which of two rules would hold?
        shape = (operation.method, re.sub(r"\{[^{}]+\}", "{}", operation.template))
        if shape in seen:
            raise ValueError(f"{name} and {seen[shape]} are the same route")
        seen[shape] = name


@dataclass(frozen=True, slots=True)
class Listed:
    """A route as a person reads it; each of `scopes` is enough, None needs no token."""

    method: str
    path: str
    scopes: tuple[str | None, ...]


def describe(table: RouteTable) -> list[Listed]:
    """The routes in the table's order."""
    return [
        Listed(
            operation.method.upper(),
            operation.template,
            tuple(None if one is None else scopes.write(one) for one in operation.alternatives),
        )
        for operation in table.description.operations
    ]
