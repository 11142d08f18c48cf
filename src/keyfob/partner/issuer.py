"""The issuer, as one client asks it: with which credential, how often, and what is learned from its answers.

In this order, for each token:
    1 while a pause lasts (after 429, 5xx, no answer at all), nothing is sent
    2 the vault's current credential is opened, and asked with, unless it was refused a short while ago
    3 refused, the vault is read once more, since somebody may have rotated: another credential in it is asked with
    4 else the one that it has replaced is asked with, once
    5 then the refusal stands, for a minute, and each time for longer, up to an hour

Sans-IO, like the source that it works for.
"""

import threading
from collections.abc import Callable
from functools import partial

from keyfob.issuer_clock import IssuerClock
from keyfob.oauth import token_endpoint
from keyfob.oauth.client_information import ClientInformation
from keyfob.oauth.token_endpoint import MalformedResponse, TokenRefused
from keyfob.oauth.wire import Response
from keyfob.partner import renewal, telling
from keyfob.partner.errors import CredentialRefused, TokenDenied, Unreachable, VaultProblem
from keyfob.partner.held import HeldToken, Identity, Wish
from keyfob.partner.possession import Prover
from keyfob.partner.proving import Proof, Proving, write_request
from keyfob.partner.renewal import Stop
from keyfob.partner.steps import Sleep, Steps, local, send
from keyfob.partner.telling import ExpiringCredential, Notice, SkewedClock

_PATIENCE = 10
"""Seconds that a caller who has no token waits, in all, for an issuer that is busy."""


class Issuer:
    """One client at one pinned issuer. Shared by threads.

    `open_credential` opens the vault's current credential at each request for a token, so a rotated credential is
    taken up without a restart, and the secret is never kept. `open_older` opens the one that it has replaced; None:
    there is none. `new_prover` makes a key for this session: tokens are bound to it `with_dpop`, or as soon as the
    issuer says that this client's are. `clock` is monotonic; `chance` gives numbers from 0 to 1. `tell` is called once
    for each credential that stops working within 30 days, and for a clock that is wrong; by default it is logged.
    """

    def __init__(
        self,
        *,
        issuer: str,
        client_id: str,
        open_credential: Callable[[], ClientInformation],
        open_older: Callable[[str], ClientInformation | None] = lambda _: None,
        proving: Proving,
        issuer_clock: IssuerClock,
        clock: Callable[[], float],
        chance: Callable[[], float],
        new_prover: Callable[[], Prover] | None = None,
        with_dpop: bool = False,
        tell: Callable[[Notice], None] = telling.log,
    ) -> None:
        self.issuer = issuer
        self.client_id = client_id
        self._open_credential = open_credential
        self._open_older = open_older
        self._proving = proving
        self._new_prover = new_prover
        self._prover = new_prover() if with_dpop and new_prover is not None else None
        self._issuer_clock = issuer_clock
        self._clock = clock
        self._chance = chance
        self._tell = tell
        self._told: set[str] = set()
        self._lock = threading.Lock()
        self._stopped: dict[str, Stop] = {}
        self._pause: Stop | None = None
        self._failures = 0

    def ask(self, wish: Wish, *, patient: bool, refused: HeldToken | None = None) -> Steps[HeldToken]:
        """A new token. `patient`: there is none to go on with, so a short pause is waited for.

        Raises TokenDenied, CredentialRefused, Unreachable or VaultProblem.
        """
        waited = 0.0
        while True:
            if self._pause is not None:
                self._pause.check(self._clock())
            try:
                held = yield from self._ask_with_each(wish)
            except Unreachable as failed:
                self._pause_for(failed, None)
                raise
            except TokenDenied as denied:
                if not denied.is_passing:
                    raise
                seconds = self._pause_for(denied, denied.retry_after)
                if not patient or waited + seconds > _PATIENCE:
                    raise
            else:
                self._failures, self._pause = 0, None
                return held
            waited += seconds
            yield Sleep(seconds)

    def _ask_with_each(self, wish: Wish) -> Steps[HeldToken]:
        information = yield from local(self._open)
        try:
            return (yield from self._ask_unless_stopped(information, wish))
        except CredentialRefused:
            # The credential may have been rotated on disk since it was read: look once, and ask only with another.
            again = yield from local(self._open)
            if again.credential_id != information.credential_id:
                return (yield from self._ask_unless_stopped(again, wish))
            older = yield from local(partial(self._older, information.credential_id))
            if older is None:
                raise
            try:
                return (yield from self._ask_unless_stopped(older, wish))
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

    def _ask_unless_stopped(self, information: ClientInformation, wish: Wish) -> Steps[HeldToken]:
        stopped = self._stopped.get(information.credential_id)
        if stopped is not None:
            stopped.check(self._clock())
        amended: set[str] = set()
        while True:
            ahead = self._issuer_clock.ahead
            try:
                return (yield from self._ask(information, wish))
            except TokenRefused as refused:
                amends = self._amend(refused, information, is_new_time=self._issuer_clock.ahead != ahead)
                if amends is None or amends in amended:
                    raise self._denied(refused, information.credential_id) from refused
                amended.add(amends)

    def _amend(self, refused: TokenRefused, information: ClientInformation, *, is_new_time: bool) -> str | None:
        """What is otherwise when the same is asked once more; None: nothing, so the refusal stands."""
        # RFC 9449 §8: the nonce came with the refusal.
        if refused.code == "use_dpop_nonce" and self._prover is not None:
            return "nonce"
        if refused.code == "invalid_dpop_proof" and self._prover is None and self._new_prover is not None:
            # The client is registered for tokens that are bound to a key: now we know.
            self._prover = self._new_prover()
            return "key"
        is_signed = information.client_key is not None or self._prover is not None
        return "time" if is_signed and is_new_time else None

    def _ask(self, information: ClientInformation, wish: Wish) -> Steps[HeldToken]:
        """One request. Raises TokenRefused, Unreachable."""
        prover, proof = self._prover, self._proving.prove(information)
        dpop = None if prover is None else prover.prove("POST", information.token_endpoint)
        asked_at = self._clock()
        response = yield from send(write_request(information, wish, proof, dpop=dpop))
        self._compare_clocks(response, asked_at)
        if prover is not None:
            prover.learn(information.token_endpoint, response.headers, with_token=False)
        held = self._read(response, information, wish, proof, prover, asked_at)
        with self._lock:
            self._stopped.pop(information.credential_id, None)
        return held

    def _read(
        self,
        response: Response,
        information: ClientInformation,
        wish: Wish,
        proof: Proof,
        prover: Prover | None,
        asked_at: float,
    ) -> HeldToken:
        # RFC 9700 §4.12: a credential is not sent on to wherever an answer points.
        if 300 <= response.status < 400:
            raise Unreachable("redirect", f"{information.token_endpoint} redirects: refused", hint="tell the operator")
        try:
            answer = token_endpoint.read_response(
                response.status, response.headers, response.body, asked=wish.scope, with_proof=prover is not None
            )
        except MalformedResponse as broken:
            raise Unreachable(
                "malformed-response", f"the issuer's answer is no token response: {broken}", hint="tell the operator"
            ) from broken
        self._tell_of_end(information.credential_id, answer.credential_expires_in)
        return HeldToken(
            answer.access_token,
            Identity(information.credential_id, proof.method, "" if prover is None else prover.key_id),
            answer.scope,
            answer.authorization_details,
            renewal.times(asked_at, answer.lifetime, chance=self._chance()),
            prover,
        )

    def _pause_for(self, failed: TokenDenied | Unreachable, retry_after: int | None) -> float:
        with self._lock:
            self._failures += 1
            seconds = renewal.pause(retry_after, self._failures, chance=self._chance())
            self._pause = Stop(failed.again, seconds, self._clock() + seconds)
        return seconds

    def _denied(self, refused: TokenRefused, credential_id: str) -> TokenDenied:
        kind = CredentialRefused if refused.code == "invalid_client" else TokenDenied
        denied = kind(
            refused.code,
            refused.description,
            status=refused.status,
            error_id=refused.error_id,
            retry_after=refused.retry_after,
        )
        if kind is CredentialRefused:
            now = self._clock()
            with self._lock:
                seconds = renewal.next_stop(self._stopped.get(credential_id), now)
                self._stopped[credential_id] = Stop(denied.again, seconds, now + seconds)
        return denied

    def _tell_of_end(self, credential_id: str, seconds: int | None) -> None:
        if seconds is not None and seconds <= telling.EXPIRES_SOON:
            self._tell_once(credential_id, ExpiringCredential(self.client_id, credential_id, seconds))

    def _compare_clocks(self, response: Response, asked_at: float) -> None:
        if self._issuer_clock.compare(response.headers, took=self._clock() - asked_at) and self._issuer_clock.ahead:
            self._tell_once("", SkewedClock(self.issuer, self._issuer_clock.ahead))

    def _tell_once(self, what: str, notice: Notice) -> None:
        with self._lock:
            is_known = what in self._told
            self._told.add(what)
        if not is_known:
            self._tell(notice)
