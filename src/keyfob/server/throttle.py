"""How often is too often. Failures slow further failures, and never a good secret: that is always verified first.

So nobody is locked out by whoever guesses beside them, known and unknown ids are answered alike, and guessing gains
nothing: what is slowed down is the noise. The counts are bounded, and gone with the process; those of a network and of
a client's tokens are shared with the other nodes (shared_limits.py).
"""

import asyncio
import hashlib
import logging
from collections import OrderedDict
from dataclasses import dataclass

from keyfob.oauth.client_authentication import PresentedCredential
from keyfob.oauth.errors import InvalidClient, InvalidToken, OAuthError, TooManyRequests
from keyfob.server.refusals.causes import Cause
from keyfob.server.shared_limits import SharedBucket, SharedLimits
from keyfob.serving.rates import Bucket, network_of

_log = logging.getLogger("keyfob.server")

MAX_IN_A_ROW = 100
"""NIST SP 800-63B §5.2.2: so many failures of one client from one network, without a success, before each must wait."""
SUCCESSORS = 120
"""An hour and client: each is sealed and recorded. Enough for all instances of a partner in one rotation."""
HELD = 1.0
"""Seconds that the answer to one token too many is kept back: whoever asks in a loop asks less often by that alone."""
_MAX_HELD = 2_000
_STEPS = 16
_MAX_COUNTED = 65_536
_MINUTE, _HOUR = 60, 3600


@dataclass(frozen=True, slots=True)
class _Attempt:
    digest: bytes
    at: int
    wait: int


class Throttle:
    """`failures`: a minute and network. `tokens`: a minute and client, 0 for no limit. `key`: 32 random bytes."""

    def __init__(self, *, failures: int, tokens: int, key: bytes) -> None:
        self._network = SharedBucket(failures, _MINUTE)
        self._pair = Bucket(MAX_IN_A_ROW, _HOUR)
        self._tokens = SharedBucket(tokens, _MINUTE) if tokens else None
        self.shared = SharedLimits(
            {"failures": self._network} | ({} if self._tokens is None else {"tokens": self._tokens})
        )
        self._successors = Bucket(SUCCESSORS, _HOUR)
        self._key = key
        self._held = 0
        self._last: OrderedDict[tuple[str, str], _Attempt] = OrderedDict()

    def slow_down(
        self, refused: OAuthError, presented: PresentedCredential | None, *, address: str, now: int
    ) -> OAuthError:
        """`refused` as it is to be said: a failed authentication too many becomes TooManyRequests."""
        if presented is None or not isinstance(refused, InvalidClient):
            return refused
        wait = self._wait(presented, network_of(address), now)
        # RFC 6749 §2.3.1: whoever guesses secrets is slowed down.
        return refused if wait == 0 else TooManyRequests(wait, detail=refused.detail)

    def slow_down_token(self, refused: InvalidToken, *, address: str, now: int) -> OAuthError:
        """The same for a bearer token that is not good: who sends it is not known, only from where."""
        wait = self._network.take(network_of(address), now)
        return refused if wait == 0 else TooManyRequests(wait, detail=refused.detail)

    def spare(self, *, address: str, now: int) -> None:
        """Before a costly check (a signature, a fetch of keys), which a MAC is not. Raises TooManyRequests.

        Where a network's failures are many already, its next one is not even looked at.
        """
        wait = self._network.wait(network_of(address), now)
        if wait:
            raise TooManyRequests(wait, detail=Cause.NETWORK_SLOWED)

    def fail(self, *, address: str, now: int) -> int:
        """One more failure of a network, where no client proved or presented anything; the seconds to wait, or 0."""
        return self._network.take(network_of(address), now)

    def admit(self, client_id: str, *, address: str, now: int) -> None:
        """One more token for a client that has proven itself. Raises TooManyRequests."""
        self._pair.forget((network_of(address), client_id))
        wait = 0 if self._tokens is None else self._tokens.take(client_id, now)
        if wait:
            raise TooManyRequests(wait, detail=Cause.QUOTA)

    async def hold(self) -> None:
        """Before `admit`'s refusal is said. So one that forgets to keep its tokens takes no time from the others."""
        if self._held < _MAX_HELD:
            self._held += 1
            try:
                # Up to twice as long, so that many that came together do not come together again.
                await asyncio.sleep(HELD * (1 + self._held % _STEPS / _STEPS))
            finally:
                self._held -= 1

    def admit_successor(self, client_id: str, *, now: int) -> None:
        """A client asks for the successor of its secret, or for its message again. Raises TooManyRequests."""
        wait = self._successors.take(client_id, now)
        if wait:
            raise TooManyRequests(wait, detail=Cause.QUOTA)

    def _wait(self, presented: PresentedCredential, network: str, now: int) -> int:
        pair = (network, presented.client_id)
        digest = hashlib.blake2b(presented.secret.reveal_bytes(), key=self._key, digest_size=16).digest()
        last = self._last.pop(pair, None)
        if last is not None and last.digest == digest and 0 <= now - last.at <= 1:
            # A library that tries Basic and then the body has tried once: the same secret teaches a guesser nothing.
            attempt = last
        else:
            by_pair = self._pair.take(pair, now)
            attempt = _Attempt(digest, now, max(self._network.take(network, now), by_pair))
            if attempt.wait:
                _log.warning("attempts_slowed_down network=%s many_for_one_client=%s", network, by_pair > 0)
        self._last[pair] = attempt
        if len(self._last) > _MAX_COUNTED:
            self._last.popitem(last=False)
        return attempt.wait
