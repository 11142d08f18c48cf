"""`/leaks`: whoever holds something of ours that leaked has it withdrawn by presenting it.

Every report that can be read gets the same answer. One that ends nothing counts as a failure of its network, and too
many of those are 429; what works is always taken. A scanner that signs, as GitHub's does, is no stranger: its misses
cost nothing, and it is told which of what it sent was ours. A signature that does not hold leaves a stranger's report,
since the scanner's keys may be away: to drop it would let a secret live that lies in the open.
"""

import asyncio
import hashlib
import logging
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from keyfob.client_secret import PATTERN
from keyfob.oauth import strict_json
from keyfob.oauth.errors import InvalidRequest, OAuthError, TooManyRequests
from keyfob.oauth.wire import Response, values
from keyfob.problem import Problem
from keyfob.secret import Secret
from keyfob.server import scanner
from keyfob.server.endpoints.refusal import refuse, unavailable
from keyfob.server.endpoints.request import Request
from keyfob.server.lifecycle.leaks import Finder, Outcome, Report
from keyfob.server.scanner import Signed
from keyfob.server.state import ServerState
from keyfob.serving import json_response

MAX_REPORTS = 50
"""Of a stranger at once. A scanner's are as many as a body holds."""
_MAX_SECRET, _MAX_WHERE, _MAX_TYPE = 4096, 500, 100
_OURS = re.compile(PATTERN + r"|eyJ[\w-]+\.[\w-]+\.[\w-]+|(?<=/handoff/)[\w-]{43}", re.ASCII)
_log = logging.getLogger("keyfob.server")


@dataclass(frozen=True, slots=True)
class Item:
    """One of a request. `kind`, `digest`: what a scanner calls it, and its SHA-256 as it came, to be said back."""

    report: Report
    kind: str
    digest: str


def leaks(state: ServerState) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint."""

    async def answer(request: Request) -> Response:
        now = state.clock()
        try:
            if request.query_string:
                raise InvalidRequest("there are no parameters here: what was in the URL counts as exposed")
            finder = await _finder(state, request, now)
            items = read(request, finder)
            outcomes = [await _present(state, request, one.report, now) for one in items]
            if finder is Finder.SCANNER:
                return _labelled(items, outcomes)
            misses = sum(one in (Outcome.NOT_OURS, Outcome.ENDED_BEFORE) for one in outcomes)
            wait = max((state.throttle.fail(address=request.address, now=now) for _ in range(misses)), default=0)
            if wait:
                raise TooManyRequests(wait)
        except OAuthError as reason:
            return refuse(state, request, None, reason, now=now)
        except (Problem, state.database_errors):
            _log.exception("leak_not_handled id=%s", request.id)
            return unavailable(request)
        return json_response(202, {"status": "received"})

    return answer


async def _finder(state: ServerState, request: Request, now: int) -> Finder:
    """Who reports: the scanner, if its signature of the body as it came holds; else anybody."""
    key_id, signature = request.header(scanner.KEY_HEADER), request.header(scanner.SIGNATURE_HEADER)
    if state.scanner is None or key_id is None or signature is None:
        return Finder.ANYBODY
    if await state.scanner.has_signed(Signed(request.body, key_id, signature), now):
        return Finder.SCANNER
    _log.warning("scanner_signature_refused id=%s", request.id)
    return Finder.ANYBODY


async def _present(state: ServerState, request: Request, report: Report, now: int) -> Outcome:
    done = await asyncio.to_thread(state.self_service.report_leak, report)
    if done.outcome is not Outcome.NOT_OURS:
        _log.warning("leak_reported owner=%s outcome=%s", done.owner, done.outcome.value)
        state.alarms.leaked(done, address=request.address, error_id=request.id, now=now)
    return done.outcome


def _labelled(items: Sequence[Item], outcomes: Sequence[Outcome]) -> Response:
    """What GitHub's scanner takes for an answer: which of what it sent was one of ours, by its hash, alive or not."""
    labels = [
        {
            "token_hash": one.digest,
            "token_type": one.kind,
            "label": "false_positive" if outcome is Outcome.NOT_OURS else "true_positive",
        }
        for one, outcome in zip(items, outcomes, strict=True)
    ]
    return json_response(200, labels)


def read(request: Request, finder: Finder) -> tuple[Item, ...]:
    """One report, or a list of them, as scanners send it: `secret` or `token`, and `url`. Raises InvalidRequest."""
    media_type = (values(request.headers, b"content-type") or [b""])[0].partition(b";")[0].strip().lower()
    if media_type != b"application/json":
        raise InvalidRequest("a report comes as application/json")
    try:
        document = strict_json.parse(request.body)
    except ValueError as broken:
        raise InvalidRequest(f"the report cannot be read: {broken}") from None
    listed = document if isinstance(document, list) else [document]
    if not listed or (len(listed) > MAX_REPORTS and finder is not Finder.SCANNER):
        raise InvalidRequest(f"a report holds 1 to {MAX_REPORTS} secrets")
    return tuple(_item(one, request.address, finder) for one in listed)


def _item(said: object, address: str, finder: Finder) -> Item:
    secret = (said.get("secret") or said.get("token")) if isinstance(said, dict) else None
    if not isinstance(said, dict) or not isinstance(secret, str) or not 0 < len(secret) <= _MAX_SECRET:
        raise InvalidRequest('a report is {"secret": "...", "url": "where it was found"}')
    kind = said.get("type")
    report = Report(Secret(secret.strip()), _place(said.get("url")), address, finder)
    digest = hashlib.sha256(secret.encode()).hexdigest()
    return Item(report, kind[:_MAX_TYPE] if isinstance(kind, str) else "", digest)


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
