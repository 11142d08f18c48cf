"""Leaving in order: whoever asks whether we are ready hears that we go, before anybody is turned away.

A load balancer keeps connections open, and may send a request on one of them in the moment in which we close it. So it
is told first, and everything is answered as ever until it has had the time to send its requests elsewhere.
"""

import asyncio

from keyfob.ambient import monotonic
from keyfob.serving.messages import App, Receive, Scope, Send

PATH = "/readyz"
IS_LEAVING = "is_leaving"
"""In a scope's state, for the edge."""
LEAD = 1.5
"""Seconds in which we say that we go. A balancer has to ask at least every second."""
_LATELY = 10.0
"""Seconds since the last question, after which nobody seems to ask any more."""


class Leaving:
    """`app`, whose readiness ends with `tell`."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._asked_at: float | None = None
        self._goes = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"] == PATH:
            self._asked_at = monotonic()
            scope.setdefault("state", {})[IS_LEAVING] = self._goes
        await self._app(scope, receive, send)

    async def tell(self) -> None:
        """Returns when a balancer knows; at once where nobody has asked lately."""
        self._goes = True
        if self._asked_at is not None and monotonic() - self._asked_at < _LATELY:
            await asyncio.sleep(LEAD)
