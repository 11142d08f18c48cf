"""keyfob.serving on real sockets: RFC 9112 to the letter, slow and hostile peers, draining, and certificates."""

import contextlib
import http.client
import re
import signal
import socket
import ssl
import time

import pytest

GET = b"GET /echo HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


def exchange(port: int, request: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        connection.sendall(request)
        received = b""
        while part := connection.recv(65536):
            received += part
        return received


def post(body: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join([b"POST /echo HTTP/1.1", b"Host: localhost", *headers, b"", body])


CHUNKED = b"Transfer-Encoding: chunked"
END = b"0\r\n\r\n"
HOSTILE = {
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": b"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    "two Hosts of HTTP/1.0": b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
    "a malformed Host": b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
    "an empty Host": b"GET / HTTP/1.1\r\nHost:\r\n\r\n",
    "two lengths": post(b"ab", b"Content-Length: 2", b"Content-Length: 3"),
    "the same length twice": post(b"ab", b"Content-Length: 2", b"Content-Length: 2"),
    "a list of lengths": post(b"ab", b"Content-Length: 2, 2"),
    "a negative length": post(b"", b"Content-Length: -1"),
    "a length with a sign": post(b"ab", b"Content-Length: +2"),
    "a hexadecimal length": post(b"ab", b"Content-Length: 0x2"),
    "an empty length": post(b"ab", b"Content-Length:"),
    "a length beyond 64 bits": post(b"ab", b"Content-Length: " + b"9" * 30),
    "length and chunks": post(END, b"Content-Length: 5", CHUNKED),
    "chunks and length": post(END, CHUNKED, b"Content-Length: 5"),
    "a coding after chunked": post(b"", CHUNKED + b", gzip"),
    "a coding before chunked": post(END, b"Transfer-Encoding: gzip, chunked"),
    "an unknown coding": post(b"", b"Transfer-Encoding: xchunked"),
    "identity": post(b"", b"Transfer-Encoding: identity"),
    "an empty coding": post(b"", b"Transfer-Encoding:"),
    "chunked twice": post(END, CHUNKED, CHUNKED),
    "a disguised coding": post(END, b"Transfer-Encoding: \x0bchunked"),
    "chunks of HTTP/1.0": post(END, CHUNKED).replace(b"HTTP/1.1", b"HTTP/1.0"),
    "a bad chunk": post(b"zz\r\n", CHUNKED),
    "a chunk in C": post(b"0x2\r\nab\r\n" + END, CHUNKED),
    "a negative chunk": post(b"-2\r\nab\r\n" + END, CHUNKED),
    "a chunk beyond 64 bits": post(b"f" * 20 + b"\r\n", CHUNKED),
    "a chunk longer than it says": post(b"2\r\nabcd\r\n" + END, CHUNKED),
    "a chunk of bare LF": post(b"2\nab\n0\n\n", CHUNKED),
    "a chunk extension of bare LF": post(b"2;a\nab\r\n" + END, CHUNKED),
    "a length in the trailer": post(b"2\r\nab\r\n0\r\nContent-Length: 5\r\n\r\n", CHUNKED),
    "NUL in a header": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
    "NUL in a name": b"GET / HTTP/1.1\r\nHost: a\r\nX\0: a\r\n\r\n",
    "NUL in the URL": b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n",
    "a bare CR": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
    "a bare CR in the URL": b"GET /\r HTTP/1.1\r\nHost: a\r\n\r\n",
    "bare LFs": b"GET / HTTP/1.1\nHost: a\n\n",
    "a space before the colon": b"GET / HTTP/1.1\r\nHost : a\r\n\r\n",
    "a header without a name": b"GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n",
    "a folded header": b"GET / HTTP/1.1\r\nHost: a\r\nX: a\r\n b\r\n\r\n",
    "65 headers": b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 65 + b"\r\n",
    "a large header": b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"y" * 40_000 + b"\r\n\r\n",
    "a large URL": b"GET /" + b"y" * 40_000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    "a URL beyond ASCII": b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n",
    "TLS on a plain port": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(60),
    "HTTP/2 unasked": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "HTTP/1.2": b"GET / HTTP/1.2\r\nHost: a\r\n\r\n",
    "a body behind an upgrade": post(b"ab", b"Connection: upgrade", b"Upgrade: h2c", b"Content-Length: 2"),
    "an unknown method": b"FOO / HTTP/1.1\r\nHost: a\r\n\r\n",
    "CONNECT": b"CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n",
    "rubbish": b"\xff" * 100 + b"\r\n\r\n\r\n",
}


def check_protected(headers: dict[bytes, bytes]) -> None:
    """What every response carries, whoever wrote it, and what none tells."""
    assert int(headers[b"strict-transport-security"].partition(b"=")[2]) >= 180 * 24 * 3600
    assert headers[b"x-content-type-options"] == b"nosniff"
    assert headers[b"referrer-policy"] == b"no-referrer"
    assert headers[b"x-frame-options"] == b"DENY"
    assert headers[b"content-security-policy"] == b"default-src 'none'; frame-ancestors 'none'"
    assert headers[b"cache-control"] == b"no-store"
    assert headers[b"content-type"] == b"application/json"
    assert len(headers[b"keyfob-request-id"]) == 32
    assert headers.keys().isdisjoint({b"server", b"x-powered-by", b"via"})


@pytest.fixture
def plain(start, port):
    return start(port)


def test_hostile_requests_are_answered_400_as_json_and_the_server_lives(plain, parse):
    """RFC 9112 §2.2, §3, §3.2, §5.1, §5.2, §6.1, §6.3, §7.1, RFC 9110 §5.5: a request of two meanings has none."""
    for name, request in HOSTILE.items():
        status, headers, document = parse(exchange(plain.port, request))
        assert status == 400, name
        assert document["error"] == "invalid_request", name
        assert document["error_id"].encode() == headers[b"keyfob-request-id"], name
        assert headers[b"connection"] == b"close", name
        check_protected(headers)
    assert parse(exchange(plain.port, GET))[0] == 200


def test_an_endless_header_is_cut_off_before_it_ends(plain):
    with socket.create_connection(("127.0.0.1", plain.port), timeout=30) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nX: ")
        answered = b""
        try:
            for _ in range(100):
                connection.sendall(b"y" * 4096)
            answered = connection.recv(100)
        except (ConnectionResetError, BrokenPipeError):
            pass
        assert answered in (b"", answered) and not answered.startswith(b"HTTP/1.1 200")
    assert exchange(plain.port, GET).startswith(b"HTTP/1.1 200")


def test_every_answer_carries_the_security_headers_and_an_id_of_its_own(plain, parse):
    ids = set()
    requests = {200: GET, 500: GET.replace(b"/echo", b"/fail"), 413: post(b"", b"Content-Length: 100001")}
    requests[505] = GET.replace(b"HTTP/1.1", b"HTTP/2.0")
    for expected, request in requests.items():
        status, headers, _ = parse(exchange(plain.port, request))
        assert status == expected
        check_protected(headers)
        ids.add(headers[b"keyfob-request-id"])
    assert len(ids) == len(requests)


def test_a_refusal_waits_for_the_answers_before_it(plain, parse):
    """RFC 9112 §9.3.2: answers come in the order of their requests, also the refusal of what cannot be read."""
    slow = b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n"
    first, second, rest = exchange(plain.port, slow + slow + b"rubbish\r\n\r\n").split(b"HTTP/1.1 ")[1:]
    assert first.startswith(b"200") and second.startswith(b"200") and rest.startswith(b"400")
    check_protected(parse(b"HTTP/1.1 " + rest)[1])


def test_an_answer_that_began_is_cut_and_not_mixed_with_a_refusal(plain):
    early = exchange(plain.port, post(b"zz\r\n", CHUNKED).replace(b"/echo", b"/half"))
    assert early.count(b"HTTP/1.1 ") <= 1


def test_an_upgrade_is_not_taken_and_nothing_is_read_behind_it(plain):
    """RFC 9110 §7.8: a server may ignore the offer; what follows is never another request."""
    offer = b"GET /slow HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
    with socket.create_connection(("127.0.0.1", plain.port), timeout=30) as connection:
        connection.sendall(offer)
        assert plain.line() == "slow began"
        connection.sendall(b"GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n")
        received = b""
        with contextlib.suppress(ConnectionResetError):
            while part := connection.recv(65536):
                received += part
    assert received.startswith(b"HTTP/1.1 200") and b"connection: close" in received
    assert received.count(b"HTTP/1.1") == 1


def test_what_fails_here_is_a_500_that_tells_nothing_but_its_id(plain, parse):
    status, headers, document = parse(exchange(plain.port, GET.replace(b"/echo", b"/fail?secret=hidden")))
    assert status == 500
    assert document["error_id"].encode() == headers[b"keyfob-request-id"]
    assert "reason" not in str(document)
    log = plain.log.read_text()
    assert document["error_id"] in log
    assert "the reason that must stay here" in log
    assert "hidden" not in log


def test_a_response_that_breaks_off_is_seen_to_be_cut(plain):
    connection = http.client.HTTPConnection("127.0.0.1", plain.port, timeout=30)
    connection.request("GET", "/half")
    with pytest.raises(http.client.IncompleteRead):
        connection.getresponse().read()
    connection.close()


def test_a_request_says_when_it_was_answered_and_its_connection_closes_when_asked_to(plain, parse):
    """RFC 9110 §6.6.1, RFC 9112 §9.6: a date in every answer; `close` is taken at its word."""
    _, headers, _ = parse(exchange(plain.port, GET))
    assert headers[b"date"].endswith(b" GMT")
    assert headers[b"connection"] == b"close"


def test_a_body_that_waits_to_be_asked_for_is_asked_for_or_refused(plain):
    """RFC 9110 §10.1.1."""
    with socket.create_connection(("127.0.0.1", plain.port), timeout=30) as connection:
        connection.sendall(post(b"", b"Content-Length: 3", b"Expect: 100-continue", b"Connection: close"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 100 ")
        connection.sendall(b"abc")
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")
    with socket.create_connection(("127.0.0.1", plain.port), timeout=30) as connection:
        connection.sendall(post(b"", b"Content-Length: 100000001", b"Expect: 100-continue"))
        assert connection.recv(1000).startswith(b"HTTP/1.1 413 ")


def test_the_log_holds_no_query_and_no_path_parameter(plain):
    exchange(plain.port, GET.replace(b"/echo", b"/echo/subject-01?key=value-02"))
    log = plain.log.read_text()
    assert "route=/echo/{name} status=200" in log
    assert "subject-01" not in log
    assert "value-02" not in log


def test_a_body_over_the_bound_is_refused_before_it_is_read(plain, parse):
    head = post(b"", b"Content-Length: 100000001")
    assert parse(exchange(plain.port, head))[0] == 413
    # RFC 9110 §10.1.1: whoever asks first is told so instead of being asked to go on.
    asked = exchange(plain.port, post(b"", b"Content-Length: 100000001", b"Expect: 100-continue"))
    assert asked.startswith(b"HTTP/1.1 413") and b"100 Continue" not in asked
    chunks = b"".join(b"8000\r\n" + b"x" * 0x8000 + b"\r\n" for _ in range(4))
    status, headers, _ = parse(exchange(plain.port, post(chunks, b"Transfer-Encoding: chunked")))
    assert (status, headers[b"connection"]) == (413, b"close")
    assert parse(exchange(plain.port, post(b"x" * 100_000, b"Content-Length: 100000", b"Connection: close")))[0] == 200


def test_http_1_0_needs_no_host(plain):
    """RFC 9112 §3.2."""
    assert exchange(plain.port, b"GET /echo HTTP/1.0\r\n\r\n").split(b" ")[1] == b"200"


def test_a_connection_is_kept_for_the_next_request(plain):
    """RFC 9112 §9.3."""
    connection = http.client.HTTPConnection("127.0.0.1", plain.port, timeout=30)
    for _ in range(3):
        connection.request("POST", "/echo", b"abc")
        assert connection.getresponse().read() == b'{"length":3,"path":"/echo"}'
    connection.close()


def test_half_a_head_and_half_a_body_are_given_up(plain):
    """RFC 9112 §9.5: a peer that stalls holds no connection for long; 60 seconds are the bound that we promise."""
    began = time.monotonic()
    stalled = [b"GET / HTTP/1.1\r\nHost: a\r\nX", post(b"half", b"Content-Length: 50000"), b""]
    connections = [socket.create_connection(("127.0.0.1", plain.port), timeout=60) for _ in stalled]
    for connection, request in zip(connections, stalled, strict=True):
        connection.sendall(request)
    for connection in connections:
        with contextlib.suppress(ConnectionResetError):
            assert connection.recv(1000) == b""
        connection.close()
    assert time.monotonic() - began < 60
    assert exchange(plain.port, GET).startswith(b"HTTP/1.1 200")


def test_sigterm_lets_a_running_request_end_and_takes_no_new_one(start, port):
    running = start(port)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as slow:
        idle = socket.create_connection(("127.0.0.1", port), timeout=30)
        slow.sendall(GET.replace(b"/echo", b"/slow"))
        assert running.line() == "slow began"
        running.process.send_signal(signal.SIGTERM)
        received = b""
        while part := slow.recv(65536):
            received += part
        assert received.startswith(b"HTTP/1.1 200")
        idle.close()
    assert running.line() == "shut down"
    assert running.process.wait(timeout=10) == 0


def test_a_request_that_outlasts_the_drain_is_told_so(start, port, parse):
    running = start(port)
    with socket.create_connection(("127.0.0.1", port), timeout=30) as endless:
        endless.sendall(GET.replace(b"/echo", b"/forever"))
        assert running.line() == "forever began"
        running.process.send_signal(signal.SIGTERM)
        received = b""
        while part := endless.recv(65536):
            received += part
    status, headers, document = parse(received)
    assert (status, document["error"]) == (503, "temporarily_unavailable")
    check_protected(headers)
    assert running.line() == "shut down"
    assert running.process.wait(timeout=10) == 0


def test_a_taken_port_is_a_clear_error(start, port, tmp_path):
    import subprocess
    import sys

    start(port)
    script = tmp_path / "application.py"
    second = subprocess.run(
        [sys.executable, script, str(port), "", "", "{}"], capture_output=True, text=True, timeout=60
    )
    assert second.returncode == 1
    assert f"port {port} of 127.0.0.1 is in use" in second.stderr


def served_certificate(port: int, context: ssl.SSLContext) -> bytes:
    with (
        socket.create_connection(("127.0.0.1", port), timeout=30) as raw,
        context.wrap_socket(raw, server_hostname="localhost") as secure,
    ):
        found = secure.getpeercert(binary_form=True)
        assert found is not None
        return found


def test_https_is_verified_modern_and_takes_up_a_renewed_certificate(start, port, tmp_path, tls_files, make_tls):
    files = make_tls(tmp_path / "mine")
    start(port, files.certificate, files.private_key)
    before = served_certificate(port, files.client_context())
    with pytest.raises(ssl.SSLCertVerificationError):
        served_certificate(port, tls_files.client_context())
    old = files.client_context()
    with pytest.deprecated_call():
        old.minimum_version = ssl.TLSVersion.TLSv1
        old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        served_certificate(port, old)

    modern = files.client_context()
    modern.set_alpn_protocols(["h2", "http/1.1"])
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        modern.minimum_version = modern.maximum_version = version
        with socket.create_connection(("127.0.0.1", port), timeout=30) as raw:
            with modern.wrap_socket(raw, server_hostname="localhost") as secure:
                assert secure.selected_alpn_protocol() == "http/1.1"
                assert re.match("(ECDHE-.*|TLS_AES.*|TLS_CHACHA20.*)(GCM|POLY1305)", secure.cipher()[0])
    for weak in ("AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-SHA384", "ECDHE-RSA-AES128-SHA"):
        without = files.client_context()
        without.maximum_version = ssl.TLSVersion.TLSv1_2
        without.set_ciphers(weak)
        with pytest.raises((ssl.SSLError, ConnectionResetError)):
            served_certificate(port, without)

    renewed = make_tls(tmp_path / "renewed")
    files.certificate.write_bytes(renewed.certificate.read_bytes())  # half a renewal must change nothing
    deadline = time.monotonic() + 30
    assert served_certificate(port, files.client_context()) == before
    files.private_key.write_bytes(renewed.private_key.read_bytes())
    while time.monotonic() < deadline:
        try:
            assert served_certificate(port, renewed.client_context()) != before
            return
        except ssl.SSLCertVerificationError:
            continue
    pytest.fail("the renewed certificate was not taken up")
