"""Who may come in, and who must go for it: counted by network before a byte is read.

A connection stands in line while it is its peer's turn (a handshake, a request, an unread response), the longest
without progress first, and out of it while we work on its request. When there is no room, the first in line gives way:
so idle connections, however many, never keep a new one out. Pure accounting; time is a parameter.
"""

from collections import OrderedDict
from collections.abc import Callable

from keyfob.oauth.trusted_proxies import NOBODY, TrustedProxies
from keyfob.serving.limits import Limits
from keyfob.serving.rates import Bucket, network_of

_SPAN = 10
"""Seconds over which the rates hold: so much of them may come at once."""

_Line = OrderedDict["Guest", None]


class Guest:
    """One open connection. `close` is called at most once, when it must give way."""

    __slots__ = ("_gate", "_network", "close")

    def __init__(self, gate: "Gate", network: "_Network") -> None:
        self._gate = gate
        self._network = network
        self.close: Callable[[], object] = _nothing

    def waits(self) -> None:
        """It is the peer's turn, and it has just made progress."""
        if self in self._network.guests:
            for line in (self._network.line, self._gate.line):
                line[self] = None
                line.move_to_end(self)

    def works(self) -> None:
        """It is our turn: the connection cannot be asked to go."""
        self._network.line.pop(self, None)
        self._gate.line.pop(self, None)

    def leaves(self) -> None:
        """It is closed; saying so again changes nothing."""
        self.works()
        self._gate.let_out(self, self._network)

    def spend(self, count: int, now: float) -> float:
        """Bytes that were read, and the seconds for which no more should be."""
        return self._gate.spend(self._network, count, now)


class _Network:
    __slots__ = ("guests", "is_trusted", "line", "name")

    def __init__(self, name: str, is_trusted: bool) -> None:
        self.name = name
        self.is_trusted = is_trusted
        self.guests: set[Guest] = set()
        self.line: _Line = OrderedDict()


class Gate:
    """`trusted_proxies`: addresses that stand for many networks, and have the limits of none."""

    def __init__(self, limits: Limits, *, trusted_proxies: TrustedProxies = NOBODY) -> None:
        self.line: _Line = OrderedDict()
        self._limits = limits
        self._trusted = trusted_proxies
        self._networks: dict[str, _Network] = {}
        self._open = 0
        self._arrivals = Bucket(limits.new_connections_per_network_per_second * _SPAN, _SPAN)
        self._bytes = Bucket(limits.bytes_per_network_per_second * _SPAN, _SPAN)

    def admit(self, address: str, now: float) -> Guest | None:
        """A new connection from `address`, first of all waiting; None: there is no room, and it should be closed."""
        is_trusted = address in self._trusted  # what was named, and not the /64 around an address
        name = address if is_trusted else network_of(address)
        network = self._networks.get(name) or _Network(name, is_trusted)
        if not network.is_trusted:
            if self._arrivals.take(name, now):
                return None
            if len(network.guests) >= self._limits.max_connections_per_network and not self._make_room(network.line):
                return None
        if self._open >= self._limits.max_connections and not self.make_room():
            return None
        guest = Guest(self, network)
        # Named anew: the last of its guests may just have given way.
        self._networks[name] = network
        network.guests.add(guest)
        self._open += 1
        guest.waits()
        return guest

    def make_room(self) -> bool:
        """The longest idle connection of all goes. False: all are at work."""
        return self._make_room(self.line)

    def _make_room(self, line: _Line) -> bool:
        if not line:
            return False
        guest = next(iter(line))
        guest.leaves()
        guest.close()
        return True

    def let_out(self, guest: Guest, network: _Network) -> None:
        if guest in network.guests:
            network.guests.remove(guest)
            self._open -= 1
            if not network.guests:
                del self._networks[network.name]

    def spend(self, network: _Network, count: int, now: float) -> float:
        return 0.0 if network.is_trusted else self._bytes.spend(network.name, count, now)


def _nothing() -> None: ...
