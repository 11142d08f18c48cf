"""`/admin/v1/...`: the operations of the table, each for an operator with a token of its scope. Deny by default.

A token is for this API alone (its audience), of an operator who is active now and whose role has the scope; errors are
JSON as the command line's: error, message, hint, and an error_id.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from keyfob.database import Unreachable
from keyfob.oauth import bearer, strict_json
from keyfob.oauth.errors import InsufficientScope, InvalidRequest, InvalidToken, OAuthError
from keyfob.oauth.wire import Response
from keyfob.problem import Misuse, Problem
from keyfob.server.admin import openapi, performing
from keyfob.server.admin.desk import Actor
from keyfob.server.admin.operation import Operation
from keyfob.server.admin.table import OPERATIONS
from keyfob.server.audit.events import Field
from keyfob.server.endpoints.request import Request
from keyfob.server.lifecycle import operators
from keyfob.server.refusals.causes import Cause
from keyfob.server.state import ServerState
from keyfob.server.storage.records import Operator, State
from keyfob.serving import json_response

_log = logging.getLogger("keyfob.server")
_AT_ONCE = 4
"""Operations that are performed side by side: tokens are what the server is for."""
_RETRY_AFTER = 2
_MAX_KEY, _MAX_REASON = 128, 512
_BUSY = frozenset({"database-busy", "database-full"})
_STATUS = {"changed-meanwhile": 412, "unknown-parameter": 400}
_FORM = frozenset(
    ("bad-input", "bad-header", "bad-json", "bad-media-type", "bad-query", "body-unexpected", "query-unexpected")
)
"""A request that is not as the OpenAPI document says; every other refusal is of one that is."""
Endpoint = Callable[[Request], Awaitable[Response]]


def routes(state: ServerState) -> dict[str, tuple[tuple[str, ...], Endpoint]]:
    """Every path of the API: its methods, and what answers there."""
    room = asyncio.Semaphore(_AT_ONCE)
    by_path: dict[str, dict[str, Operation[Any]]] = {}
    for operation in OPERATIONS:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    described = openapi.write(state.settings.issuer)

    async def describe(_request: Request) -> Response:
        return Response(200, ((b"content-type", b"application/json"),), described)

    found: dict[str, tuple[tuple[str, ...], Endpoint]] = {openapi.PATH: (("GET", "HEAD"), describe)}
    for path, served in by_path.items():
        methods = (*served, "HEAD") if "GET" in served else tuple(served)
        found[path] = (methods, _endpoint(state, served, room))
    return found


def refuse(
    status: int,
    code: str,
    message: str,
    hint: str,
    error_id: str,
    *headers: tuple[bytes, bytes],
    more: Mapping[str, object] | None = None,
) -> Response:
    document = {"error": code, "message": message, "hint": hint, "error_id": error_id, **(more or {})}
    return json_response(status, document, headers=headers)


def _endpoint(state: ServerState, served: Mapping[str, Operation[Any]], room: asyncio.Semaphore) -> Endpoint:
    async def answer(request: Request) -> Response:
        operation = served["GET" if request.method == "HEAD" else request.method]
        try:
            operator = _admit(state, request, operation)
            asked = _read(operation, request)
            key, reason = _header(request, openapi.KEY_HEADER, _MAX_KEY), _reason(request)
        except OAuthError as refused:
            return _challenge(state, request, operation, refused)
        except Problem as refused:
            return _refuse(request, refused)
        facts: dict[str, Field] = {"operator_address": request.address, "operator_request": request.id}
        desk = state.desk(
            Actor(operator.name, operator, reason, facts),
            expected=_expected(request) if operation.versioned and operation.acts else None,
        )
        try:
            async with room:
                done = await asyncio.to_thread(performing.perform, desk, operation, asked, key=key)
        except Problem as refused:
            return _refuse(request, refused)
        except state.database_errors:
            _log.exception("operation_failed operation=%s id=%s", operation.name, request.id)
            return _unavailable(request)
        version = done.document.get("version")
        tag = ((b"etag", f'"{version}"'.encode()),) if isinstance(version, str) else ()
        return json_response(202 if done.waits else 200, done.document, headers=(*tag, (b"cache-control", b"no-store")))

    return answer


def _admit(state: ServerState, request: Request, operation: Operation[Any]) -> Operator:
    """The operator whose token it is, when it may do this now. Raises OAuthError."""
    now = state.clock()
    presented = bearer.read(request.headers, request.query_string)
    if presented is None:
        raise _MissingToken("a token of an operator is needed", detail=Cause.NO_OPERATOR)
    token = state.verify(presented, now)
    # RFC 9068 §4, RFC 8725 §3.9: a token for another API is none here, and neither is one bound to a key.
    if token is None or token.audience != operators.audience(state.settings.issuer) or token.confirmation is not None:
        raise InvalidToken(detail=Cause.NO_OPERATOR)
    operator = state.find_operator(token.client_id)
    # Asked at every request: a suspension holds from the next one on.
    if operator is None or operator.state is not State.ACTIVE:
        raise InvalidToken(detail=Cause.NO_OPERATOR)
    # RFC 6750 §3.1: scopes are compared whole. A role that was lowered takes its scopes at once.
    if operation.scope not in token.scope & operators.SCOPES_OF[operator.role]:
        raise InsufficientScope(operation.scope, detail=Cause.NO_OPERATOR)
    return operator


def _read(operation: Operation[Any], request: Request) -> object:
    """Names from the path, and the rest from the body of an act, or from the query of a question. Raises Misuse."""
    if not operation.acts:
        if request.body:
            raise Misuse("body-unexpected", "a GET has no body", hint="parameters stand in the query")
        query = _query(request.query_string)
        if set(query) & set(operation.names):
            raise Misuse("unknown-parameter", "a name of the path stands in the query", hint="")
        return operation.read({**request.names, **query}, is_text=True)
    if request.query_string:
        raise Misuse("query-unexpected", "there are no parameters in the URL here", hint="send a JSON object")
    members = _members(request)
    if set(members) & set(operation.names):
        raise Misuse("unknown-parameter", "a name of the path stands in the body", hint="")
    return operation.read({**members, **request.names})


def _members(request: Request) -> dict[str, object]:
    if not request.body:
        return {}
    if (request.header(b"content-type") or "").partition(";")[0].strip().lower() != "application/json":
        raise Misuse("bad-media-type", "the body is no application/json", hint="send a JSON object")
    try:
        document = strict_json.parse(request.body)
    except ValueError as broken:
        raise Misuse("bad-json", f"the body cannot be read: {broken}", hint="send a JSON object") from None
    if not isinstance(document, dict):
        raise Misuse("bad-json", "the body is no JSON object", hint="send a JSON object")
    return document


def _query(query_string: bytes) -> dict[str, object]:
    if not query_string:
        return {}
    try:
        pairs = parse_qsl(query_string.decode("ascii"), keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        raise Misuse("bad-query", "the query cannot be read", hint="name=value, joined by &, in UTF-8") from None
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Misuse("bad-query", "a parameter is given twice", hint="give each once")
    return {**found}


def _header(request: Request, name: str, longest: int) -> str | None:
    """Of visible ASCII characters. Raises Misuse."""
    value = request.header(name.lower().encode())
    if value is None:
        return None
    if not 0 < len(value) <= longest or not all("!" <= character <= "~" for character in value):
        raise Misuse("bad-header", f"{name} is malformed", hint=f"1 to {longest} visible ASCII characters")
    return value


def _reason(request: Request) -> str | None:
    value = request.header(openapi.REASON_HEADER.lower().encode())
    if value is None:
        return None
    try:
        text = value.encode("latin-1").decode("utf-8").strip()
    except UnicodeDecodeError:
        raise Misuse("bad-header", f"{openapi.REASON_HEADER} is not UTF-8", hint="") from None
    if not 0 < len(text) <= _MAX_REASON or not text.isprintable():
        raise Misuse("bad-header", f"{openapi.REASON_HEADER} is empty, too long or cannot be shown", hint="")
    return text


def _expected(request: Request) -> str | None:
    """RFC 9110 §13.1.1: one version, or `*` for any."""
    value = (request.header(b"if-match") or "*").strip()
    return None if value == "*" else value.strip('"')


class _MissingToken(OAuthError):
    """RFC 6750 §3.1: no credentials came at all."""

    code = "invalid_token"
    status = 401


def _challenge(state: ServerState, request: Request, operation: Operation[Any], refused: OAuthError) -> Response:
    """RFC 6750 §3. Noted for the operator like any refusal."""
    is_missing = isinstance(refused, _MissingToken)
    if not is_missing:
        state.note_refusal(request, refused, now=state.clock())
    said = bearer.challenge(None if is_missing else refused, resource_metadata=None, scope=operation.scope)
    hint = f"ask the token endpoint for one with resource={operators.audience(state.settings.issuer)}"
    if isinstance(refused, InvalidRequest):
        hint = "send the token in the Authorization header alone"
    return refuse(refused.status, refused.code, refused.description, hint, request.id, (b"www-authenticate", said))


def _refuse(request: Request, refused: Problem) -> Response:
    if isinstance(refused, Unreachable) or refused.code in _BUSY:
        _log.error("operation_failed id=%s code=%s", request.id, refused.code)
        return _unavailable(request)
    status = _STATUS.get(refused.code)
    if status is None and refused.code.startswith("unknown-"):
        # What was once here, and is not kept for ever (RFC 9110 §15.5.11).
        status = 404 if isinstance(refused, Misuse) else 410
    elif status is None and isinstance(refused, Misuse):
        # RFC 9110 §15.5.21: understood and in its form, and it cannot be done as it is asked.
        status = 400 if refused.code in _FORM else 422
    elif status is None:
        status = 409
    return refuse(status, refused.code, refused.message, refused.hint, request.id, more=refused.more)


def _unavailable(request: Request) -> Response:
    retry = (b"retry-after", str(_RETRY_AFTER).encode())
    message = "this cannot be done at the moment: nothing was done"
    return refuse(503, "temporarily-unavailable", message, "try again", request.id, retry)
