"""The limits of connections and bytes, and handshakes that never end, on real sockets."""

import contextlib
import socket
import time

import pytest

GET = b"GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


@pytest.fixture
def hold():
    """Opens connections from an address of the loopback network, and keeps them."""
    with contextlib.ExitStack() as kept:

        def opened(port: int, count: int = 1, address: str = "127.0.0.1") -> list[socket.socket]:
            return [
                kept.enter_context(
                    socket.create_connection(("127.0.0.1", port), timeout=30, source_address=(address, 0))
                )
                for _ in range(count)
            ]

        yield opened


def read_all(connection: socket.socket) -> bytes:
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            received += part
    return received


def is_closed(connection: socket.socket) -> bool:
    """Waits until the server closes it: the timeout of the socket is the bound."""
    return read_all(connection) == b""


def is_answered(connection: socket.socket) -> bool:
    connection.sendall(GET)
    return read_all(connection).startswith(b"HTTP/1.1 200")


def test_idle_connections_that_fill_the_server_give_way_to_a_new_one(start, port, hold):
    running = start(port, max_connections=20)
    idle = hold(port, 20)
    busy = idle[10]
    busy.sendall(GET.replace(b"/echo", b"/slow"))
    assert running.line() == "slow began"
    assert all(is_answered(connection) for connection in hold(port, 5))
    # Those five took the places of the first five, and the request that was being answered is answered.
    assert all(is_closed(connection) for connection in idle[:5])
    assert read_all(busy).startswith(b"HTTP/1.1 200")
    assert is_answered(idle[-1])


def test_idle_connections_of_one_network_give_way_among_themselves(start, port, hold):
    start(port, max_connections_per_network=5)
    stranger = hold(port, 1, "127.0.0.9")[0]
    idle = hold(port, 8)
    assert all(is_closed(connection) for connection in idle[:3])
    assert is_answered(idle[3])
    assert is_answered(stranger)


def test_new_connections_beyond_the_rate_are_closed_unread_and_other_networks_are_served(start, port, hold):
    running = start(port, new_connections_per_network_per_second=1)
    connections = hold(port, 40)
    # More than ten came within the time that it took; that many cannot be refilled by the way.
    assert is_closed(connections[-1])
    assert is_answered(hold(port, 1, "127.0.0.9")[0])
    assert "connections_turned_away count=1 last=127.0.0.1" in running.log.read_text()


def test_bytes_beyond_the_budget_are_read_later_and_none_is_lost(start, port, hold):
    start(port, bytes_per_network_per_second=10_000)
    head = b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 75000\r\nConnection: close\r\n\r\n"
    began = time.monotonic()
    for connection in hold(port, 2):
        connection.sendall(head + b"x" * 75_000)
        assert b'"length":75000' in read_all(connection)
    assert is_answered(hold(port)[0])
    # A hundred thousand come at once; what is beyond them is paid with time.
    assert time.monotonic() - began > 4


def test_a_handshake_that_never_ends_is_given_up_and_keeps_nobody_out(start, port, hold, tls_files):
    running = start(port, tls_files.certificate, tls_files.private_key, max_connections=20)
    unborn = hold(port, 20)
    half = hold(port)[0]  # and with it the first of the others goes
    half.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
    assert is_closed(unborn[0])
    with tls_files.client_context().wrap_socket(hold(port)[0], server_hostname="localhost") as good:
        assert is_answered(good)
    began = time.monotonic()
    for connection in (half, *unborn):
        connection.settimeout(60)
        assert is_closed(connection)
    assert time.monotonic() - began < 60
    assert "Traceback" not in running.log.read_text()


def test_a_server_with_few_descriptors_takes_so_many_connections_and_goes_on(start, port, hold):
    running = start(port, descriptors=300)
    assert "connections_limited max=44 descriptors=300" in running.log.read_text()
    idle = hold(port, 200)
    assert all(is_closed(connection) for connection in idle[:150])
    assert is_answered(hold(port)[0])
    assert is_answered(idle[-1])
