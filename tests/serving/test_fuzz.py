"""Whatever bytes arrive: an answer to a client's fault, or none, never a 500, never a hang; and the server goes on."""

import contextlib
import re
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

GET = b"GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
POST = (
    b"POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"5;a=b\r\nhello\r\n0\r\nX-Trailer: a\r\n\r\n"
)
WORDS = st.sampled_from(
    [
        *b"\r \n \0 \t \xff , ; : ? 5 0 -1 ffffffffffffffff GET POST /echo HTTP/1.1 HTTP/1.0 Host Host:a %00".split(
            b" "
        ),
        *b"Content-Length:|Transfer-Encoding:|chunked|Authorization:|Expect: 100-continue|Upgrade: h2c".split(b"|"),
        *(b" ", b"\r\n", b"Connection: upgrade"),
    ]
)


def damaged(whole: bytes, place: int, length: int, damage: bytes) -> bytes:
    return whole[:place] + damage + whole[place + length :]


REQUESTS = (
    st.binary(max_size=400)
    | st.lists(WORDS, max_size=40).map(b"".join)
    | st.lists(WORDS, max_size=20).map(lambda words: GET[:-2] + b"".join(words) + b"\r\n\r\n")
    | st.builds(
        damaged, st.sampled_from([GET, POST, POST + GET]), st.integers(0, 200), st.integers(0, 9), st.binary(max_size=9)
    )
)


@pytest.fixture(scope="module")
def lasting(tmp_path_factory, start_in, free_port_of):
    with start_in(tmp_path_factory.mktemp("fuzz")) as start:
        yield start(free_port_of())


def answers(port: int, request: bytes) -> list[bytes]:
    """The statuses that came back. The timeout is the bound of a hang."""
    received = b""
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        with contextlib.suppress(ConnectionError):
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            while part := connection.recv(65536):
                received += part
    return re.findall(rb"HTTP/1\.1 (\d{3}) ", received)


@given(request_bytes=REQUESTS)
@settings(max_examples=400)
def test_any_bytes_are_answered_as_a_clients_fault_or_not_at_all(lasting, request_bytes):
    assert set(answers(lasting.port, request_bytes)) <= {b"100", b"200", b"400", b"413", b"505"}


def test_the_server_goes_on_and_nothing_failed_in_it(lasting):
    assert answers(lasting.port, GET) == [b"200"]
    assert "Traceback" not in lasting.log.read_text()
