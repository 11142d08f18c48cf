"""Receivers of alarms, on real sockets; and on which database a test runs."""

import contextlib
import http.server
import json
import queue
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import pytest

from databases import (  # noqa: F401  # fixtures, and the hook that chooses
    database_kind,
    new_database_url,
    new_place,
    new_postgresql,
    postgresql,
    pytest_generate_tests,
)


@dataclass
class Receiver:
    """An HTTPS server that takes webhooks. `answers` are given in order, then `status`; `gate` holds answers back."""

    url: str
    status: int = 204
    answers: list[int] = field(default_factory=list)
    got: "queue.Queue[tuple[dict[str, str], bytes]]" = field(default_factory=queue.Queue)
    gate: threading.Event = field(default_factory=threading.Event)

    def next(self, seconds: float = 20) -> tuple[dict[str, str], dict[str, object]]:
        headers, body = self.got.get(timeout=seconds)
        return headers, json.loads(body)


@contextlib.contextmanager
def receiving(tls_files) -> Iterator[Receiver]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            headers = {name.lower(): value for name, value in self.headers.items()}
            receiver.got.put((headers | {":path": self.path}, body))
            receiver.gate.wait(60)
            self.send_response(receiver.answers.pop(0) if receiver.answers else receiver.status)
            self.send_header("location", f"{receiver.url}/moved")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls_files.certificate, tls_files.private_key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # a client that does not trust us is no news
    receiver = Receiver(f"https://localhost:{server.server_address[1]}/alarms")
    receiver.gate.set()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield receiver
    finally:
        receiver.gate.set()
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def receiver(tls_files) -> Iterator[Receiver]:
    with receiving(tls_files) as made:
        yield made


@pytest.fixture(scope="session")
def new_receiver(tls_files) -> Callable[[], contextlib.AbstractContextManager[Receiver]]:
    return lambda: receiving(tls_files)
