"""Signatures without keeping the event loop waiting: a key that is here signs at once, one elsewhere in a thread.

A key elsewhere may be away, throttled or disabled: then nothing is signed, and never by another key instead.
"""

import asyncio
import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from keyfob.jose.jws import Signer
from keyfob.jose.keys import SigningKey
from keyfob.problem import Problem

_log = logging.getLogger("keyfob.server")

T = TypeVar("T")

THREADS = 16
"""Signatures that are waited for at the same time, in one process."""
MAX_WAITING = 256
PATIENCE = 2.0
"""Seconds that a request waits for its signature."""
PROVED_FOR = 60
"""Seconds after a signature for which a key elsewhere counts as ready, unless it fails."""
PROBE_EVERY = 2
"""Seconds between two questions whether it signs again: strangers may ask for readiness as often as they like."""

_PROBE = b"keyfob: is this key ready"  # without a dot: no part of it can be taken for a JWS


class CannotSign(Exception):
    """There is no signature now: what depends on it must not happen. The reason was logged."""


class Signing:
    """The signatures of one process."""

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="sign")
        self._waiting = 0
        self._proved: tuple[str, int] | None = None  # which key signed last, and when
        self._probed_at = 0

    async def by(self, key: Signer, make: Callable[[], T], *, now: int) -> T:
        """`make()`, which signs with `key`. Raises CannotSign."""
        if isinstance(key, SigningKey):
            return make()
        if self._waiting >= MAX_WAITING:
            _log.error("not_signed kid=%s code=too-many-waiting", key.kid)
            raise CannotSign
        self._waiting += 1
        try:
            made = await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(self._threads, make), PATIENCE)
        except Problem as failed:
            self._proved = None
            _log.error("not_signed kid=%s code=%s reason=%s", key.kid, failed.code, failed.message)
            raise CannotSign from failed
        except TimeoutError as late:
            self._proved = None
            _log.error("not_signed kid=%s code=late", key.kid)
            raise CannotSign from late
        finally:
            self._waiting -= 1
        self._proved = (key.kid, now)
        return made

    async def check(self, key: Signer, *, now: int) -> None:
        """Raises CannotSign while `key` does not sign, as far as is known: one that was silent for long is asked."""
        if isinstance(key, SigningKey) or (
            self._proved is not None and self._proved[0] == key.kid and now - self._proved[1] < PROVED_FOR
        ):
            return
        if abs(now - self._probed_at) < PROBE_EVERY:
            raise CannotSign
        self._probed_at = now
        await self.by(key, lambda: key.sign(_PROBE), now=now)

    def close(self) -> None:
        """What is under way is given up: nobody waits for it any more."""
        self._threads.shutdown(wait=False, cancel_futures=True)
