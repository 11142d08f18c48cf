"""Access tokens by the client credentials grant (RFC 6749 §4.4), in memory only, asked for once by whoever is first.

Sans-IO: `steps` yields requests and is sent responses, see keyfob.partner.steps. Nothing here reads a clock, a file
or a socket.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

from keyfob.oauth.authorization_details import Details
from keyfob.oauth.scope import Scope
from keyfob.partner.errors import TokenDenied, Unreachable
from keyfob.partner.held import HeldToken, Identity, Wish
from keyfob.partner.steps import Steps, Transport, Wait, run, run_async


class Asker(Protocol):
    """Who gets a token that is not in memory: `issuer.Issuer`, or a broker on this machine."""

    @property
    def issuer(self) -> str: ...

    @property
    def client_id(self) -> str: ...

    def ask(self, wish: Wish, *, patient: bool, refused: HeldToken | None = None) -> Steps[HeldToken]:
        """`patient`: there is no token to go on with. `refused`: the one that the API has just not taken."""
        ...


class TokenSource:
    """The tokens of one client at one pinned issuer; share one between threads and asyncio tasks.

    `asker` gets what is not in memory; `clock` is its monotonic clock.
    """

    def __init__(self, asker: Asker, *, transport: Transport, clock: Callable[[], float]) -> None:
        self._asker = asker
        self._transport = transport
        self._clock = clock
        self._lock = threading.Lock()
        self._identity: Identity | None = None
        # All that a token hangs on: issuer and client are the asker's, who it was asked for as is `_identity`.
        self._held: dict[Wish, HeldToken] = {}
        self._flights: dict[Wish, Future[object]] = {}

    @property
    def issuer(self) -> str:
        return self._asker.issuer

    @property
    def client_id(self) -> str:
        return self._asker.client_id

    def __repr__(self) -> str:
        return f"TokenSource(issuer={self.issuer!r}, client_id={self.client_id!r})"

    def token(
        self,
        scope: Scope | None,
        *,
        resource: str,
        details: Details | None = None,
        refused: HeldToken | None = None,
    ) -> HeldToken:
        """A token for `scope` (None: the client's default set) at `resource`, from memory or from the issuer.

        `refused` is one that the API has just answered with 401: a new one is asked for only if it is still the one
        in memory. Raises TokenDenied, CredentialRefused, Unreachable or VaultProblem.
        """
        return run(self.steps(scope, resource=resource, details=details, refused=refused), self._transport)

    def token_for(self, wish: Wish, refused: HeldToken | None = None) -> HeldToken:
        """`token`, for what is wished for already."""
        return run(self.steps_for(wish, refused), self._transport)

    async def token_async(
        self,
        scope: Scope | None,
        *,
        resource: str,
        details: Details | None = None,
        refused: HeldToken | None = None,
    ) -> HeldToken:
        """Like `token`, for an asyncio task."""
        steps = self.steps(scope, resource=resource, details=details, refused=refused)
        return await run_async(steps, self._transport)

    def run(self, steps: "Steps[HeldToken | None]") -> HeldToken | None:
        """Drive `steps` that were built on this source, in this thread."""
        return run(steps, self._transport)

    async def run_async(self, steps: "Steps[HeldToken | None]") -> HeldToken | None:
        """Drive `steps` that were built on this source, in this task."""
        return await run_async(steps, self._transport)

    def steps(
        self,
        scope: Scope | None,
        *,
        resource: str,
        details: Details | None = None,
        refused: HeldToken | None = None,
    ) -> Steps[HeldToken]:
        """The core of `token`."""
        return self.steps_for(Wish.of(scope, resource, details), refused)

    def steps_for(self, wish: Wish, refused: HeldToken | None = None) -> Steps[HeldToken]:
        """The first to come asks the issuer; the others wait for its answer, failure included."""
        while True:
            with self._lock:
                held = self._find(wish, refused)
                now = self._clock()
                if held is not None and now < held.times.renew_at:
                    return held
                flight = self._flights.get(wish)
                if flight is not None and held is not None and now < held.times.wait_at:
                    return held  # somebody renews it already, and it is good for a while
                first = flight is None
                if flight is None:
                    flight = self._flights[wish] = Future()
            if first:
                return (yield from self._fly(flight, wish, held, refused))
            outcome = yield Wait(flight)
            if isinstance(outcome, HeldToken) and outcome is not refused:
                return outcome
            if isinstance(outcome, Exception):
                raise outcome
            # The one who asked was cancelled, or goes on with what is refused here: somebody else takes its place.

    def now(self) -> float:
        """A reading of the clock that a token's times are on."""
        return self._clock()

    def find(self, wish: Wish) -> HeldToken | None:
        """The token in memory that nobody has to renew yet: what most calls need, without a lock."""
        held = self._held.get(wish)
        return held if held is not None and self._clock() < held.times.renew_at else None

    def _find(self, wish: Wish, refused: HeldToken | None) -> HeldToken | None:
        held = self._held.get(wish)
        if held is not None and held is refused:
            del self._held[wish]
            return None
        return held

    def _fly(
        self, flight: "Future[object]", wish: Wish, previous: HeldToken | None, refused: HeldToken | None
    ) -> Steps[HeldToken]:
        if previous is not None and self._clock() >= previous.expires_at:
            previous = None
        outcome: object = None  # what those who wait see when this one is cancelled
        try:
            held = yield from self._asker.ask(wish, patient=previous is None, refused=refused)
            outcome = held
            return held
        except (Unreachable, TokenDenied) as failed:
            is_passing = isinstance(failed, Unreachable) or failed.is_passing
            if is_passing and previous is not None and self._clock() < previous.expires_at:
                outcome = previous
                return previous
            outcome = failed
            raise
        except Exception as failed:
            outcome = failed
            raise
        finally:
            with self._lock:
                del self._flights[wish]
                if isinstance(outcome, HeldToken) and outcome is not previous:
                    self._keep(wish, outcome)
            flight.set_result(outcome)

    def _keep(self, wish: Wish, held: HeldToken) -> None:
        """From now on only tokens of this credential are used: those of a replaced one may end at any time."""
        if held.identity != self._identity:
            self._identity = held.identity
            self._held.clear()
        self._held[wish] = held
