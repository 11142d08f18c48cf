"""What an API's own OpenAPI 3 description says: which operations there are, and which scopes each needs.

OpenAPI 3.1 §4.8.8 (paths), §4.8.10 (operation), §4.8.30 (security requirements). A path is compared as it is on the
wire: split at `/` first, percent-decoded after, so that `%2F` never makes a segment. Knows nothing of HTTP or tokens.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote_to_bytes, urljoin, urlsplit

from keyfob.oauth import scope as scopes
from keyfob.oauth.errors import InvalidScope
from keyfob.oauth.scope import Scope

MAX_BYTES = 4 * 1024 * 1024
_PARAMETER = re.compile(r"\{[^{}]+\}")
_BEARER = ("bearer", "Bearer")
_METHODS = frozenset({"get", "put", "post", "delete", "options", "head", "patch", "trace"})


@dataclass(frozen=True, slots=True)
class Operation:
    """A method at a path template, with its alternatives: each a scope set that is enough by itself.

    The alternative None needs no token at all; the empty set needs a token, whatever its scope.
    """

    method: str
    template: str
    alternatives: tuple[Scope | None, ...]


@dataclass(frozen=True, slots=True)
class Description:
    """All operations of an API."""

    operations: tuple[Operation, ...]

    def find(self, method: str, raw_path: str) -> Operation | None:
        """The operation that serves `method` at the URL path `raw_path` (as on the wire), or None.

        OpenAPI 3.1 §4.8.8: a concrete segment is matched before a templated one. HEAD falls back to GET.
        """
        segments = _segments(raw_path)
        for wanted in (method.lower(), "get") if method.upper() == "HEAD" else (method.lower(),):
            fitting = [
                (rank, operation)
                for operation in self.operations
                if operation.method == wanted and (rank := _rank(operation.template, segments)) is not None
            ]
            if fitting:
                return min(fitting, key=lambda ranked: ranked[0])[1]
        return None


class MalformedDescription(ValueError):
    """It is no OpenAPI 3 document that can be understood; the message says why."""


def read(body: bytes, *, resource: str) -> Description:
    """The description at `resource`/openapi.json. Raises MalformedDescription."""
    try:
        document = json.loads(body.decode()) if len(body) <= MAX_BYTES else None
        if not isinstance(document, dict) or not str(document["openapi"]).startswith("3."):
            raise TypeError("not OpenAPI 3")
        schemes = _token_schemes(document)
        general = document.get("security", [])
        base = _base_path(document, resource)
        operations = []
        for template, item in _object(document["paths"]).items():
            for method in sorted(_METHODS & _object(item).keys()):
                requirements = _object(_object(item)[method]).get("security", general)
                operations.append(Operation(method, base + template, _alternatives(requirements, schemes)))
        return Description(tuple(operations))
    except (ValueError, KeyError, TypeError, RecursionError, InvalidScope) as broken:
        raise MalformedDescription(f"it is no OpenAPI 3 description: {type(broken).__name__}: {broken}") from broken


def _segments(raw_path: str) -> list[bytes]:
    return [unquote_to_bytes(segment) for segment in raw_path.split("/")]


def _rank(template: str, segments: list[bytes]) -> tuple[int, ...] | None:
    """For each segment 0 where it is literal, 1 where it is partly, 2 where it is wholly a parameter; None: no fit."""
    patterns = template.split("/")
    if len(patterns) != len(segments):
        return None
    rank = []
    for pattern, segment in zip(patterns, segments, strict=True):
        literals = _PARAMETER.split(pattern)
        expression = b"(.+)".join(re.escape(unquote_to_bytes(literal)) for literal in literals)
        if not re.fullmatch(expression, segment, re.DOTALL):
            return None
        rank.append(0 if len(literals) == 1 else 2 if not any(literals) else 1)
    return tuple(rank)


def _token_schemes(document: Mapping[str, object]) -> frozenset[str]:
    """The names of the security schemes that an access token satisfies: OAuth 2.0, OpenID Connect, bearer."""
    schemes = _object(_object(document.get("components")).get("securitySchemes"))
    found = set()
    for name, scheme in schemes.items():
        kind = _object(scheme).get("type")
        if kind in ("oauth2", "openIdConnect") or (kind == "http" and _object(scheme).get("scheme") in _BEARER):
            found.add(name)
    return frozenset(found)


def _alternatives(requirements: object, schemes: frozenset[str]) -> tuple[Scope | None, ...]:
    """Each requirement that a token can meet, as the scopes that it names; [] and {} mean that none is needed."""
    if not isinstance(requirements, list):
        raise TypeError("security is an array")
    alternatives: list[Scope | None] = [] if requirements else [None]
    for requirement in requirements:
        named = _object(requirement)
        if not named:
            alternatives.append(None)
        elif named.keys() <= schemes:
            alternatives.append(frozenset(token for tokens in named.values() for token in _scope_tokens(tokens)))
    return tuple(alternatives)


def _scope_tokens(tokens: object) -> Scope:
    if not isinstance(tokens, list):
        raise TypeError("a security requirement is an array of scopes")
    return scopes.parse(" ".join(_text(token) for token in tokens)) if tokens else frozenset()


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError("not a string")
    return value


def _object(value: object) -> Mapping[str, object]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise TypeError("not an object")
    return value


def _base_path(document: Mapping[str, object], resource: str) -> str:
    """The path before every template (OpenAPI 3.1 §4.8.5): of the first server, relative to the document's place.

    An API that names no server is taken to be at `resource`, so that it may stand behind a proxy's prefix.
    """
    servers = document.get("servers")
    if not servers:
        return urlsplit(resource).path.rstrip("/")
    if not isinstance(servers, list):
        raise TypeError("servers is an array")
    return urlsplit(urljoin(f"{resource}/openapi.json", _text(_object(servers[0])["url"]))).path.rstrip("/")
