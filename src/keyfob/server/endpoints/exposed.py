"""A secret of ours in the query of a URL lies in the logs of all that stands in between: it counts as leaked.

Whatever the path and the method. It is looked at before the answer leaves, which is the same whether it was one or not.
"""

import asyncio
import logging
import re
from urllib.parse import unquote_to_bytes

from keyfob.client_secret import PATTERN
from keyfob.problem import Problem
from keyfob.secret import Secret
from keyfob.server.endpoints.request import Request
from keyfob.server.lifecycle.leaks import Finder, Outcome, Report
from keyfob.server.state import ServerState

MAX_LOOKED_AT = 3
"""Of one request: an honest one that goes wrong holds one, or the same again."""
_OURS = re.compile(PATTERN)
_log = logging.getLogger("keyfob.server")


def secrets_in(query_string: bytes) -> tuple[Secret, ...]:
    """What has the form of a secret of ours, each once."""
    text = unquote_to_bytes(query_string).decode("latin-1")
    return tuple(map(Secret, list(dict.fromkeys(_OURS.findall(text)))[:MAX_LOOKED_AT]))


async def withdraw(state: ServerState, request: Request, *, route: str | None) -> None:
    """Each one that is ours ends, with its tokens, and both sides are told. Never raises: the request is refused."""
    for secret in secrets_in(request.query_string):
        where = f"the URL of a request to {state.settings.issuer}{route or ' (an unknown path)'}"
        report = Report(secret, where, request.address, Finder.SERVER)
        try:
            done = await asyncio.to_thread(state.self_service.report_leak, report)
        except (Problem, state.database_errors):
            _log.exception("exposed_secret_not_withdrawn id=%s", request.id)
            return
        if done.outcome in (Outcome.WITHDRAWN, Outcome.LAST_WITHDRAWN):
            _log.warning("exposed_secret_withdrawn owner=%s outcome=%s", done.owner, done.outcome.value)
            state.alarms.leaked(done, address=request.address, error_id=request.id, now=state.clock())
