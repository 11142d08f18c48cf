"""How much of a server one network may have: the `[limits]` that both servers share."""

from collections.abc import Mapping
from dataclasses import dataclass

from keyfob.settings import Setting, Value, positive


@dataclass(frozen=True, slots=True)
class Limits:
    """A network is an IPv4 address or an IPv6 /64. A whole company behind one proxy stays far below each of these."""

    max_connections: int = 10_000
    max_connections_per_network: int = 1_000
    new_connections_per_network_per_second: int = 300
    bytes_per_network_per_second: int = 16 * 1024 * 1024


_USUAL = Limits()

SETTINGS = (
    Setting(
        "limits",
        "max_connections",
        _USUAL.max_connections,
        "Open connections in all; beyond, the one that was idle longest gives way.",
        positive,
    ),
    Setting(
        "limits",
        "max_connections_per_network",
        _USUAL.max_connections_per_network,
        "Open connections of one network (an IPv4 address, an IPv6 /64); beyond, its longest idle one gives way.",
        positive,
    ),
    Setting(
        "limits",
        "new_connections_per_network_per_second",
        _USUAL.new_connections_per_network_per_second,
        "New connections of one network, over ten seconds; what comes beyond is closed before a byte is read.",
        positive,
        unit="a second",
    ),
    Setting(
        "limits",
        "bytes_per_network_per_second",
        _USUAL.bytes_per_network_per_second,
        "Bytes read from one network, over ten seconds; beyond, they are read more slowly.",
        positive,
        unit="bytes a second",
    ),
)


def read(values: Mapping[str, Value]) -> Limits:
    """The limits in settings that were loaded (`limits.KEY`)."""
    return Limits(**{setting.key: int(values[setting.name]) for setting in SETTINGS})
