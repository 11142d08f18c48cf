"""The only reader of the system clock and of the system's randomness.

Composition roots (the programs) make a Clock and an Entropy here and pass `now` and bytes on as plain values;
everything else is a function of its arguments.
"""

import secrets
import time
from collections.abc import Callable

Clock = Callable[[], int]
"""Seconds since 1970-01-01T00:00:00Z, whole."""

Entropy = Callable[[int], bytes]
"""So many bytes from the operating system's CSPRNG."""


def system_clock() -> int:
    """Now, in whole seconds of UTC (RFC 7519 §2, NumericDate)."""
    return int(time.time())


def system_clock_precise() -> float:
    """Now, in seconds of UTC with their fraction: for timestamps in logs and audit records."""
    return time.time()


def monotonic() -> float:
    """Seconds that never run backwards: for deadlines and intervals, never for dates."""
    return time.monotonic()


def system_entropy(count: int) -> bytes:
    """`count` random bytes from the operating system."""
    return secrets.token_bytes(count)


def chance() -> float:
    """A number from 0 up to 1 by chance: for what many programs must not do in the same moment."""
    return secrets.randbits(32) / 2**32
