"""`/leaks`: whoever holds a leaked secret has it withdrawn by presenting it.

Every report that can be read gets the same answer. One that ends nothing counts as a failure of its network, and too
many of those are 429; a secret that works is always taken.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable
from urllib.parse import unquote, urlsplit

from keyfob.client_secret import PATTERN
from keyfob.oauth import strict_json
from keyfob.oauth.errors import InvalidRequest, OAuthError, TooManyRequests
from keyfob.oauth.wire import Response, values
from keyfob.problem import Problem
from keyfob.secret import Secret
from keyfob.server.endpoints.refusal import refuse, unavailable
from keyfob.server.endpoints.request import Request
from keyfob.server.lifecycle.leaks import Outcome, Report
from keyfob.server.state import ServerState
from keyfob.serving import json_response

MAX_REPORTS = 50
_MAX_SECRET, _MAX_WHERE = 4096, 500
_OURS = re.compile(PATTERN)
_log = logging.getLogger("keyfob.server")


def leaks(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint."""

    async def answer(request: Request) -> Response:
        now = state.clock()
        try:
            if request.query_string:
                raise InvalidRequest("there are no parameters here: what was in the URL counts as exposed")
            reports = read(request)
            wait = 0
            for report in reports:
                done = await asyncio.to_thread(state.self_service.report_leak, report)
                if done.outcome in (Outcome.NOT_OURS, Outcome.ENDED_BEFORE):
                    wait = max(wait, state.throttle.fail(address=request.address, now=now))
                if done.outcome is not Outcome.NOT_OURS:
                    _log.warning("leak_reported client_id=%s outcome=%s", done.client_id, done.outcome.value)
                    state.alarms.leaked(done, address=request.address, error_id=request.id, now=now)
            if wait:
                raise TooManyRequests(wait)
        except OAuthError as reason:
            return refuse(state, request, None, reason, now=now)
        except (Problem, state.database_errors):
            _log.exception("leak_not_handled id=%s", request.id)
            return unavailable(request)
        return json_response(202, {"status": "received"})

    return answer


def read(request: Request) -> tuple[Report, ...]:
    """One report, or a list of them, as scanners send it: `secret` or `token`, and `url`. Raises InvalidRequest."""
    media_type = (values(request.headers, b"content-type") or [b""])[0].partition(b";")[0].strip().lower()
    if media_type != b"application/json":
        raise InvalidRequest("a report comes as application/json")
    try:
        document = strict_json.parse(request.body)
    except ValueError as broken:
        raise InvalidRequest(f"the report cannot be read: {broken}") from None
    listed = document if isinstance(document, list) else [document]
    if not 0 < len(listed) <= MAX_REPORTS:
        raise InvalidRequest(f"a report holds 1 to {MAX_REPORTS} secrets")
    return tuple(_report(one, request.address) for one in listed)


def _report(said: object, address: str) -> Report:
    secret = (said.get("secret") or said.get("token")) if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(secret, str) or not 0 < len(secret) <= _MAX_SECRET:
        raise InvalidRequest('a report is {"secret": "...", "url": "where it was found"}')
    return Report(Secret(secret.strip()), _place(said.get("url")), address)


def _place(where: object) -> str | None:
    """Host and path of a URL: what is kept and told must not hold what is to be withdrawn, or another secret."""
    if not isinstance(where, str) or not where.isascii() or not where.isprintable():
        return None
    try:
        parts = urlsplit(where)
        host = parts.hostname if parts.scheme in ("http", "https") else None
    except ValueError:
        return None
    path = unquote(parts.path)
    return None if host is None or not path.isprintable() else _OURS.sub("(secret)", f"{host}{path}")[:_MAX_WHERE]
