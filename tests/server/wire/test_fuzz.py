"""Whatever a token request holds, it is refused as the client's fault: no 500, no hang, no trace of a failure."""

import json
import socket

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyfob import tls

WORDS = st.sampled_from(
    [
        *("grant_type", "client_credentials", "client_id", "client_secret", "scope", "resource", "client_assertion"),
        *("authorization_details", "cl_1", "kfs_a_b_c", "https://api.example", "null", "client_assertion_type"),
        *'=&+%[]{}"\0\x80',
        *("%00", "%ff", "%zz"),
    ]
)
BODIES = st.binary(max_size=200) | st.lists(WORDS, max_size=30).map(lambda words: "".join(words).encode("latin-1"))
LINES = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=60).map(str.strip)
HEADERS = st.dictionaries(
    st.sampled_from(["Authorization", "Content-Type", "Accept", "Cookie", "X-Forwarded-For"]),
    LINES | st.sampled_from(["Basic ", "Basic Og==", "Basic Y2xfMTo=", "Bearer x", "text/plain"]),
)
FORM = "application/x-www-form-urlencoded"


@pytest.fixture(scope="module")
def asked(new_operator):
    operator = new_operator()
    operator.serve()
    return operator


def ask(operator, path: bytes, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
    lines = {"Host": "localhost", "Connection": "close", **headers, "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items()).encode("latin-1")
    context = tls.client_context(operator.home / "tls" / "ca.pem", environ={})
    received = b""
    with socket.create_connection(("127.0.0.1", operator.port), timeout=30) as raw:
        with context.wrap_socket(raw, server_hostname="localhost") as connection:
            connection.sendall(b"POST " + path + b" HTTP/1.1\r\n" + head + b"\r\n" + body)
            while part := connection.recv(65536):
                received += part
    return int(received.split(b" ")[1]), received.partition(b"\r\n\r\n")[2]


@given(headers=HEADERS, is_form=st.booleans(), body=BODIES)
@settings(max_examples=100)
def test_any_token_request_is_refused_as_the_clients_fault(asked, headers, is_form, body):
    headers = headers | ({"Content-Type": FORM} if is_form else {})
    status, content = ask(asked, b"/oauth2/token", headers, body)
    assert status in (400, 401, 429)
    assert json.loads(content).keys() == {"error", "error_description", "error_id"}


def test_nothing_failed_in_the_server(asked):
    assert asked.request("GET", "/readyz").status == 200
    assert "Traceback" not in asked.log
