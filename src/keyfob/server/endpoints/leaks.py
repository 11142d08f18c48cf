"""`/leaks`: whoever holds a leaked secret has it withdrawn by presenting it.

Every report that can be read gets the same answer. A secret that is nobody's counts as a failure of its network, and
too many of those are 429; one that is somebody's never does.
"""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable

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
                if done.outcome is Outcome.NOT_OURS:
                    wait = max(wait, state.throttle.fail(address=request.address, now=now))
                else:
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
    where = said.get("url")
    # What is kept for the audit must not hold what is to be withdrawn.
    kept = _OURS.sub("(secret)", where)[:_MAX_WHERE] if isinstance(where, str) and where.isprintable() else None
    try:
        return Report(Secret(secret.encode().decode("ascii").strip()), kept, address)
    except UnicodeError:
        return Report(Secret("?"), kept, address)  # no secret of ours: it is handled as any other
