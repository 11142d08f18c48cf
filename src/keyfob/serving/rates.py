"""How much of what in a time, for each key: a bounded count that time refills. And whose count it is: a network's."""

import functools
import ipaddress
import math
from collections import OrderedDict
from collections.abc import Hashable

_MAX_COUNTED = 65_536


class Bucket:
    """`size` at once for each key, and as much again spread over `period` seconds."""

    def __init__(self, size: int, period: int) -> None:
        self._size = size
        self._period = period
        self._left: OrderedDict[Hashable, tuple[float, float]] = OrderedDict()

    def take(self, key: Hashable, now: float) -> int:
        """Takes one when there is one, and returns 0; else the seconds until there will be one."""
        wait = self.wait(key, now)
        if wait == 0:
            self._keep(key, self._refilled(key, now) - 1, now)
        return wait

    def wait(self, key: Hashable, now: float) -> int:
        """The seconds until there will be one; 0 when there is one. Takes nothing."""
        left = self._refilled(key, now)
        self._keep(key, left, now)
        return 0 if left >= 1 else max(1, math.ceil((1 - left) * self._period / self._size))

    def left(self, key: Hashable, now: float) -> float:
        """How many there are. Takes nothing."""
        left = self._refilled(key, now)
        self._keep(key, left, now)
        return left

    def spend(self, key: Hashable, amount: int, now: float) -> float:
        """Takes what has been used already, into debt if need be, and returns the seconds until the debt is paid."""
        left = self._refilled(key, now) - amount
        self._keep(key, left, now)
        return max(0.0, -left * self._period / self._size)

    def forget(self, key: Hashable) -> None:
        self._left.pop(key, None)

    def _refilled(self, key: Hashable, now: float) -> float:
        left, at = self._left.pop(key, (float(self._size), now))
        # A clock set back gives nothing, and takes nothing away.
        return min(self._size, left + max(0, now - at) * self._size / self._period)

    def _keep(self, key: Hashable, left: float, now: float) -> None:
        self._left[key] = (left, now)
        if len(self._left) > _MAX_COUNTED:
            self._left.popitem(last=False)


@functools.lru_cache(4096)
def network_of(address: str) -> str:
    """What one attacker has at least to himself: one IPv4 address, or one IPv6 /64."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))
