"""Room for a new connection is found among the idle ones: the longest idle first, a busy one never."""

from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth import trusted_proxies
from keyfob.serving.gate import Gate, Guest
from keyfob.serving.limits import Limits

NOW = 1000.0
HERE, THERE = "192.0.2.1", "198.51.100.1"


class Door:
    """A gate, and who was closed."""

    def __init__(self, limits: Limits, *, trusted_proxy: str = "") -> None:
        self.gate = Gate(limits, trusted_proxies=trusted_proxies.read(trusted_proxy))
        self.closed: list[Guest] = []

    def admit(self, address: str = HERE, now: float = NOW) -> Guest | None:
        guest = self.gate.admit(address, now)
        if guest is not None:
            guest.close = lambda: self.closed.append(guest)
        return guest

    def several(self, count: int, address: str = HERE) -> list[Guest]:
        guests = [self.admit(address) for _ in range(count)]
        assert None not in guests
        return [guest for guest in guests if guest is not None]


def test_when_all_places_are_taken_the_longest_idle_gives_way():
    door = Door(Limits(max_connections=3))
    first, second, third = door.several(3)
    first.waits()
    assert door.admit(THERE) is not None
    assert door.closed == [second]
    assert door.admit(THERE) is not None
    assert door.closed == [second, third]
    third.leaves()  # what has given way leaves once more when its socket closes: it counts once
    assert door.admit(THERE) is not None
    assert door.closed == [second, third, first]


def test_a_busy_connection_is_never_closed_and_a_new_one_is_refused_when_all_are_busy():
    door = Door(Limits(max_connections=2))
    busy, other = door.several(2)
    busy.works()
    other.works()
    assert door.admit(THERE) is None
    assert door.closed == []
    other.waits()
    assert door.admit(THERE) is not None
    assert door.closed == [other]


def test_a_network_that_is_full_makes_room_among_its_own():
    door = Door(Limits(max_connections_per_network=2))
    stranger = door.several(1, THERE)[0]
    first, _ = door.several(2)
    assert door.admit() is not None
    assert door.closed == [first]
    assert stranger not in door.closed
    # Every address of an IPv6 /64 is one network's.
    door = Door(Limits(max_connections_per_network=2))
    for number in range(4):
        assert door.admit(f"2001:db8::{number}") is not None
    assert len(door.closed) == 2
    assert door.admit("2001:db8:0:1::1") is not None
    assert len(door.closed) == 2


def test_new_connections_beyond_the_rate_are_refused_and_other_networks_are_not():
    door = Door(Limits(new_connections_per_network_per_second=2))
    door.several(20)
    assert door.admit() is None
    assert door.admit(THERE) is not None
    assert door.admit(now=NOW + 0.4) is None
    assert door.admit(now=NOW + 0.6) is not None


def test_the_trusted_proxy_alone_has_the_limits_of_no_network():
    limits = Limits(max_connections_per_network=1, new_connections_per_network_per_second=1)
    door = Door(limits, trusted_proxy="2001:db8::1")
    proxied = door.several(50, "2001:db8::1")
    assert proxied[0].spend(10**12, NOW) == 0
    neighbour = door.several(1, "2001:db8::2")[0]
    assert door.admit("2001:db8::2") is not None
    assert door.closed == [neighbour]
    assert door.several(1, "2001:db8::3")[0].spend(10**12, NOW) > 0
    # A network that was named is spared as a whole, each address of it counted by itself, and nothing beside it.
    door = Door(limits, trusted_proxy="192.0.2.1, 2001:db8::/64, 10.42.0.0/16")
    for address in ("192.0.2.1", "::ffff:192.0.2.1", "2001:db8::7", "10.42.200.9"):
        door.several(20, address)
    assert door.closed == []
    for address in ("192.0.2.2", "2001:db8:0:1::7", "10.43.0.1"):
        door.several(2, address)
    assert len(door.closed) == 3
    # The total holds for it, too.
    door = Door(Limits(max_connections=1), trusted_proxy=HERE)
    door.several(2)
    assert len(door.closed) == 1


def test_bytes_are_counted_for_the_network_and_beyond_its_budget_there_is_a_wait():
    door = Door(Limits(bytes_per_network_per_second=100))
    one, other = door.several(2)
    stranger = door.several(1, THERE)[0]
    assert one.spend(500, NOW) == 0
    assert other.spend(600, NOW) == 1.0
    assert stranger.spend(1000, NOW) == 0
    assert one.spend(0, NOW + 1) == 0


STEPS = st.lists(
    st.tuples(st.sampled_from(["admit", "waits", "works", "leaves"]), st.integers(0, 5), st.integers(0, 30)),
    max_size=120,
)


@given(STEPS)
def test_whatever_comes_and_goes_the_limits_hold_and_the_busy_stay(steps):
    limits = Limits(max_connections=6, max_connections_per_network=3)
    door = Door(limits)
    inside: dict[Guest, tuple[str, bool]] = {}
    for action, network, number in steps:
        if action == "admit":
            guest = door.admit(f"192.0.2.{network}")
            for gone in door.closed:
                assert not inside.pop(gone)[1], "a busy one was closed"
            door.closed.clear()
            if guest is not None:
                inside[guest] = (f"192.0.2.{network}", False)
        elif inside:
            guest = list(inside)[number % len(inside)]
            getattr(guest, action)()
            if action == "leaves":
                del inside[guest]
            else:
                inside[guest] = (inside[guest][0], action == "works")
        assert len(inside) <= 6
        assert all(sum(name == one for name, _ in inside.values()) <= 3 for one, _ in inside.values())
    # Nothing is left behind that would count against those who come later.
    for guest in list(inside):
        guest.leaves()
    assert len([door.admit(f"203.0.113.{number}") for number in range(6)]) == 6
    assert door.closed == []
