"""A real issuer on loopback: metadata and keys over HTTPS, both of which a test may change while it runs."""

import http.server
import json
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from keyfob.jose import keys
from keyfob.jose.keys import SigningKey
from keyfob.jose.tokens import sign_access_token
from keyfob.secret import Secret

AUDIENCE = "https://api.example"
NOW = 1_000_000


class Issuer:
    """`answers` maps a path to (status, headers, body); `asked` lists the paths that were asked for."""

    def __init__(self, port: int, ca: Path) -> None:
        self.url = f"https://localhost:{port}"
        self.ca = ca
        self.key = keys.generate("ES256")
        self.asked: list[str] = []
        self.answers: dict[str, tuple[int, dict[str, str], bytes]] = {}
        self.say({"issuer": self.url, "token_endpoint": f"{self.url}/token", "jwks_uri": f"{self.url}/jwks"})
        self.publish(self.key)

    def say(self, metadata: object, status: int = 200) -> None:
        self.answers["/.well-known/oauth-authorization-server"] = (status, {}, json.dumps(metadata).encode())

    def publish(self, *published: SigningKey) -> None:
        self.answers["/jwks"] = (200, {}, keys.write_jwks([key.public_jwk() for key in published]))

    def token(self, key: SigningKey | None = None, **changes: object) -> Secret:
        claims = {
            "iss": self.url,
            "sub": "cl_1",
            "client_id": "cl_1",
            "aud": AUDIENCE,
            "iat": NOW,
            "exp": NOW + 300,
            "jti": "j",
            "scope": "studies:read",
        }
        return sign_access_token({**claims, **changes}, key or self.key)


@pytest.fixture
def issuer(tls_files, port) -> Iterator[Issuer]:
    issuer = Issuer(port, tls_files.ca)

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            issuer.asked.append(self.path)
            status, headers, body = issuer.answers.get(self.path, (404, {}, b"{}"))
            self.send_response(status)
            for name, value in {**headers, "content-length": str(len(body))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls_files.certificate, tls_files.private_key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield issuer
    server.shutdown()
    server.server_close()
    thread.join()
