"""Who asks whether a server is ready hears that it goes, before anybody is turned away. A real process."""

import http.client
import os
import time

import pytest

pytestmark = pytest.mark.skipif(os.name != "posix", reason="signals")


def ask(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.getheader("Keyfob-Request-Id"), answer.read()
    finally:
        connection.close()


def test_a_balancer_hears_first_and_what_it_sends_meanwhile_is_answered(start, port):
    running = start(port)
    kept = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    kept.request("GET", "/")
    kept.getresponse().read()
    assert ask(port, "/readyz")[0] == 200
    running.process.terminate()
    deadline = time.monotonic() + 30
    while (said := ask(port, "/readyz"))[0] == 200:
        assert time.monotonic() < deadline
    assert said[0] == 503
    assert said[1] and b"stopping" in said[2]
    # On a connection that was open before, and on one that comes now.
    kept.request("GET", "/")
    assert kept.getresponse().status == 200
    assert ask(port, "/")[0] == 200
    assert running.process.wait(timeout=30) == 0
