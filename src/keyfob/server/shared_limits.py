"""Limits that hold for all processes together: each counts by itself, and hears a second later what the others counted.

So no request waits for another node, and while the database is away each goes on with its own count. What can be let
through too much is what the others let through in that second.
"""

from collections import Counter
from collections.abc import Hashable, Mapping

from keyfob.serving.rates import Bucket

EVERY = 1.0
"""Seconds between two exchanges."""
_WORTH = 8
"""What is less than an eighth of what comes back meanwhile is not told: eight nodes together stay within the limit."""
_MAX_TOLD = 1_000


class SharedBucket(Bucket):
    """A Bucket that knows what was taken from it here, and takes what was taken elsewhere."""

    def __init__(self, size: int, period: int) -> None:
        super().__init__(size, period)
        self._worth = size * EVERY / period / _WORTH
        self._taken: Counter[Hashable] = Counter()

    def take(self, key: Hashable, now: float) -> int:
        wait = super().take(key, now)
        if wait == 0:
            self._taken[key] += 1
        return wait

    def news(self) -> dict[str, int]:
        """What was taken since the last time, where it is worth telling; the most first, if there is too much."""
        found = {str(key): count for key, count in self._taken.most_common(_MAX_TOLD) if count >= self._worth}
        self._taken.clear()
        return found


class SharedLimits:
    """All the buckets that are shared, each under its name."""

    def __init__(self, buckets: Mapping[str, SharedBucket]) -> None:
        self._buckets = buckets

    def news(self) -> dict[str, int]:
        """For the others."""
        told = ((name, bucket.news()) for name, bucket in self._buckets.items())
        return {f"{name} {key}": count for name, counts in told for key, count in counts.items()}

    def hear(self, counts: Mapping[str, int], now: int) -> None:
        """What another process let through."""
        for told, count in counts.items():
            name, _, key = told.partition(" ")
            # One of a newer program may share what this one does not know.
            if name in self._buckets:
                self._buckets[name].spend(key, count, now)
