"""Access tokens by the client credentials grant (RFC 6749 §4.4), in memory only, asked for once by whoever is first.

Sans-IO: `steps` yields requests and is sent responses, see keyfob.partner.steps. Nothing here reads a clock, a file
or a socket.
"""

import logging
import math
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial

from keyfob.oauth import authorization_details, form, token_endpoint
from keyfob.oauth.authorization_details import Details
from keyfob.oauth.client_authentication import write_basic
from keyfob.oauth.client_information import ClientInformation
from keyfob.oauth.scope import Scope
from keyfob.oauth.token_endpoint import MalformedResponse, TokenRefused
from keyfob.partner.errors import CredentialRefused, TokenDenied, Unreachable, VaultProblem
from keyfob.partner.steps import Request, Steps, Transport, Wait, local, run, run_async, send
from keyfob.secret import Secret

_log = logging.getLogger("keyfob.partner")

_MARGIN = 30  # seconds before expiry at which a token is renewed, less for short-lived ones
_LONGEST_PAUSE = 300
EXPIRES_SOON = 30 * 24 * 3600
"""Seconds before its end from which on a credential's end is told."""
_FIRST_STOP, _LONGEST_STOP = 60, 3600  # seconds without asking after invalid_client, doubled from the one to the other


@dataclass(frozen=True, slots=True, eq=False)
class HeldToken:
    """A token and what it is good for. Times are readings of the source's clock."""

    access_token: Secret
    credential_id: str
    scope: Scope
    authorization_details: Details
    renew_at: float
    expires_at: float


@dataclass(frozen=True, slots=True)
class ExpiringCredential:
    """What the issuer said with a token: the credential that was presented stops working in `seconds`."""

    client_id: str
    credential_id: str
    seconds: int

    def __str__(self) -> str:
        days = self.seconds // (24 * 3600)
        when = f"{days} days" if days > 1 else f"{max(self.seconds // 3600, 1)} h"
        return f"the credential {self.credential_id} of {self.client_id} stops working in {when}: get its successor"


def log_expiring(expiring: ExpiringCredential) -> None:
    """One line in the log `keyfob.partner`."""
    told = (expiring.client_id, expiring.credential_id, expiring.seconds)
    _log.warning("credential_expires client_id=%s credential_id=%s seconds=%d", *told)


@dataclass(frozen=True, slots=True)
class _Wish:
    """What is asked for: with issuer, client and credential, the key under which a token is held."""

    scope: Scope | None
    resource: str
    details: str


@dataclass(frozen=True, slots=True)
class _Key:
    issuer: str
    client_id: str
    credential_id: str
    wish: _Wish


@dataclass(frozen=True, slots=True)
class _Stop:
    """A while without asking. `refusal` makes a new error each time: one that is kept would keep its callers alive."""

    refusal: Callable[..., TokenDenied]
    seconds: int
    until: float

    def check(self, now: float) -> None:
        if now < self.until:
            raise self.refusal(asked_again_in=math.ceil(self.until - now))


class TokenSource:
    """The tokens of one client at one pinned issuer; share one between threads and asyncio tasks.

    `open_credential` opens the vault's current credential at each request for a token, so a rotated credential is
    taken up without a restart, and the secret is never kept. `open_older` opens the one that it has replaced, which is
    tried once when the current one is refused; None: there is none. `clock` is monotonic. `tell` is called once for
    each credential that stops working within 30 days, as the issuer says with a token; by default it is logged.
    """

    def __init__(
        self,
        *,
        issuer: str,
        client_id: str,
        open_credential: Callable[[], ClientInformation],
        transport: Transport,
        clock: Callable[[], float],
        open_older: Callable[[str], ClientInformation | None] = lambda _: None,
        tell: Callable[[ExpiringCredential], None] = log_expiring,
    ) -> None:
        self.issuer = issuer
        self.client_id = client_id
        self._open_credential = open_credential
        self._open_older = open_older
        self._transport = transport
        self._clock = clock
        self._tell = tell
        self._told: set[str] = set()
        self._lock = threading.Lock()
        self._credential_id = ""
        self._held: dict[_Key, HeldToken] = {}
        self._flights: dict[_Wish, Future[object]] = {}
        self._stopped: dict[str, _Stop] = {}
        self._pause: _Stop | None = None

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
        """The core of `token`. The first to come asks the issuer; the others wait for its answer, failure included."""
        wish = _Wish(scope, resource, "" if details is None else authorization_details.write(details))
        while True:
            with self._lock:
                held = self._find(wish, refused)
                now = self._clock()
                if held is not None and now < held.renew_at:
                    return held
                flight = self._flights.get(wish)
                if flight is not None and held is not None and now < held.expires_at:
                    return held  # somebody renews it already, and it is still good
                first = flight is None
                if flight is None:
                    flight = self._flights[wish] = Future()
            if first:
                return (yield from self._fly(flight, wish, details, held))
            outcome = yield Wait(flight)
            if isinstance(outcome, HeldToken):
                return outcome
            if isinstance(outcome, Exception):
                raise outcome
            # The one who asked was cancelled: somebody else takes its place.

    def _find(self, wish: _Wish, refused: HeldToken | None) -> HeldToken | None:
        key = self._key(wish, self._credential_id)
        held = self._held.get(key)
        if held is not None and held is refused:
            del self._held[key]
            return None
        return held

    def _key(self, wish: _Wish, credential_id: str) -> _Key:
        return _Key(self.issuer, self.client_id, credential_id, wish)

    def _fly(
        self, flight: "Future[object]", wish: _Wish, details: Details | None, previous: HeldToken | None
    ) -> Steps[HeldToken]:
        outcome: object = None  # what those who wait see when this one is cancelled
        try:
            held = yield from self._request(wish, details)
            outcome = held
            return held
        except Unreachable as failed:
            if previous is not None and self._clock() < previous.expires_at:
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
                if isinstance(outcome, HeldToken):
                    self._held[self._key(wish, outcome.credential_id)] = outcome
            flight.set_result(outcome)

    def _request(self, wish: _Wish, details: Details | None) -> Steps[HeldToken]:
        if self._pause is not None:
            self._pause.check(self._clock())
        information = yield from local(self._open)
        try:
            return (yield from self._ask(information, wish, details))
        except CredentialRefused:
            # The credential may have been rotated on disk since it was read: look once, and ask only with another.
            again = yield from local(self._open)
            if again.credential_id != information.credential_id:
                return (yield from self._ask(again, wish, details))
            older = yield from local(partial(self._older, information.credential_id))
            if older is None:
                raise
            try:
                return (yield from self._ask(older, wish, details))
            except CredentialRefused:
                pass  # what is told is the refusal of the current one
            raise

    def _open(self) -> ClientInformation:
        return self._checked(self._open_credential())

    def _older(self, credential_id: str) -> ClientInformation | None:
        found = self._open_older(credential_id)
        return None if found is None else self._checked(found)

    def _checked(self, information: ClientInformation) -> ClientInformation:
        if information.issuer != self.issuer or information.client_id != self.client_id:
            raise VaultProblem("changed-issuer", "the vault's credential is now another client's", hint="start anew")
        return information

    def _ask(self, information: ClientInformation, wish: _Wish, details: Details | None) -> Steps[HeldToken]:
        stopped = self._stopped.get(information.credential_id)
        if stopped is not None:
            stopped.check(self._clock())
        request = write_request(information, wish.scope, resource=wish.resource, details=details)
        asked_at = self._clock()
        response = yield from send(request)
        try:
            answer = token_endpoint.read_response(response.status, response.headers, response.body, asked=wish.scope)
        except TokenRefused as refused:
            raise self._denied(refused, information.credential_id) from refused
        except MalformedResponse as broken:
            raise Unreachable(
                "malformed-response", f"the issuer's answer is no token response: {broken}", hint="tell the operator"
            ) from broken
        self._take_up(information.credential_id)
        self._tell_once(information.credential_id, answer.credential_expires_in)
        margin = min(_MARGIN, answer.lifetime / 5)
        expires_at = asked_at + answer.lifetime
        return HeldToken(
            answer.access_token,
            information.credential_id,
            answer.scope,
            answer.authorization_details,
            expires_at - margin,
            expires_at,
        )

    def _tell_once(self, credential_id: str, seconds: int | None) -> None:
        if seconds is None or seconds > EXPIRES_SOON:
            return
        with self._lock:
            is_known = credential_id in self._told
            self._told.add(credential_id)
        if not is_known:
            self._tell(ExpiringCredential(self.client_id, credential_id, seconds))

    def _denied(self, refused: TokenRefused, credential_id: str) -> TokenDenied:
        kind = CredentialRefused if refused.code == "invalid_client" else TokenDenied
        refusal = partial(kind, refused.code, refused.description, status=refused.status, error_id=refused.error_id)
        now = self._clock()
        with self._lock:
            if kind is CredentialRefused:
                seconds = _next_stop(self._stopped.get(credential_id), now)
                self._stopped[credential_id] = _Stop(refusal, seconds, now + seconds)
            elif seconds := min(refused.retry_after or 0, _LONGEST_PAUSE):
                self._pause = _Stop(refusal, seconds, now + seconds)
        return refusal()

    def _take_up(self, credential_id: str) -> None:
        """From now on only tokens of this credential are used: those of a replaced one may end at any time."""
        with self._lock:
            self._stopped.pop(credential_id, None)
            if credential_id != self._credential_id:
                self._credential_id = credential_id
                self._held.clear()


def write_request(
    information: ClientInformation, scope: Scope | None, *, resource: str, details: Details | None
) -> Request:
    """RFC 6749 §4.4.2 with the client authenticated by HTTP Basic (§2.3.1). Raises VaultProblem."""
    # RFC 6749 §2.3.1, §3.2: a secret travels over TLS alone.
    if not information.token_endpoint.startswith("https://"):
        raise VaultProblem("plain-http", "the credential names a token endpoint without HTTPS", hint="ask the operator")
    if information.client_secret is None:
        raise VaultProblem("no-secret", "the stored credential holds no client secret", hint="receive another message")
    parameters: Mapping[str, str] = token_endpoint.write_request(
        scope=scope, resource=resource, authorization_details=details
    )
    return Request(
        # RFC 6749 §3.2: a client asks by POST.
        "POST",
        information.token_endpoint,
        (("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")),
        form.write(parameters),
        # RFC 6749 §2.3.1, §4.4.2: the client authenticates.
        write_basic(information.client_id, information.client_secret),
    )


def _next_stop(last: _Stop | None, now: float) -> int:
    """Seconds. A suspended client may be resumed, so a stop ends; when that was in vain, the next is twice as long."""
    if last is None:
        return _FIRST_STOP
    return last.seconds if now < last.until else min(2 * last.seconds, _LONGEST_STOP)
