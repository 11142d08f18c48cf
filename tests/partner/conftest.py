"""A hand-off with real OpenPGP keys, and a real issuer and API on loopback whose answers a test may change."""

import base64
import http.server
import json
import ssl
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import parse_qs

import pytest

from databases import new_postgresql, postgresql  # noqa: F401  # fixtures
from keyfob import client_secret
from keyfob.oauth import client_information
from keyfob.oauth.client_information import ClientInformation
from keyfob.openpgp import keys, seal
from keyfob.openpgp.certificate import Certificate
from keyfob.partner import opening
from keyfob.partner.receive import Receipt
from keyfob.partner.vault.entries import Keeping
from keyfob.secret import Secret

SCOPES = frozenset({"studies:read", "subjects:read"})


@dataclass
class Handoff:
    """An operator and a partner with a vault; `message` seals, `receive` receives."""

    operator_key: Secret
    operator: Certificate
    partner: Certificate
    other: Certificate
    folder: Path
    info: ClientInformation

    @property
    def private_key(self) -> Path:
        return self.folder / "partner-private.asc"

    @property
    def vault(self) -> Path:
        return self.folder / "vault"

    def message(self, *, signed_by: Secret | None = None, to: Certificate | None = None, **changes: object) -> bytes:
        info = replace(self.info, **changes)
        plaintext = client_information.write(info)
        return seal.seal(plaintext, recipient=to or self.partner, operator_key=signed_by or self.operator_key)

    def receive(
        self,
        message: bytes,
        *,
        keeping: Keeping | None = Keeping.FILE,
        certificate: bytes | None = None,
        fingerprint: str | None = None,
        private_key: Path | None = None,
        key_file: Path | None = None,
        key_name: str | None = None,
    ) -> Receipt:
        return opening.receive_file(
            message,
            vault=self.vault,
            keeping=keeping,
            private_key=private_key or self.private_key,
            key_file=key_file,
            key_name=key_name,
            ca=None,
            certificate=certificate if certificate is not None else self.operator.armored,
            fingerprint=self.operator.fingerprint if fingerprint is None else fingerprint,
            confirm=lambda _certificate: False,
        )

    def stored(self) -> list[Path]:
        return sorted(path for path in self.vault.rglob("*.json") if path.parent.name.startswith("cl_"))


@dataclass(frozen=True)
class _Keys:
    operator_key: Secret
    operator: Certificate
    partner_key: Secret
    partner: Certificate
    other: Certificate


@pytest.fixture(scope="session")
def openpgp_keys(partner_key) -> _Keys:
    operator_key, operator = keys.generate_operator_key("Operator")
    _, other = keys.generate_operator_key("Another partner")
    return _Keys(operator_key, operator, *partner_key, other)


@pytest.fixture
def handoff(openpgp_keys, tmp_path, service) -> Handoff:
    private_key = tmp_path / "partner-private.asc"
    private_key.touch(mode=0o600)
    private_key.write_bytes(openpgp_keys.partner_key.reveal_bytes())
    info = ClientInformation(
        client_id="cl_1",
        client_secret=client_secret.make("credential1", b"r" * 32),
        client_id_issued_at=1000,
        client_secret_expires_at=0,
        issuer=service.url,
        token_endpoint=f"{service.url}/oauth2/token",
        scope=SCOPES,
        resource=(f"{service.url}/api",),
        credential_id="credential1",
        message_id="m1",
        issued_at=1000,
        recipient_fingerprint=openpgp_keys.partner.fingerprint,
    )
    return Handoff(
        openpgp_keys.operator_key, openpgp_keys.operator, openpgp_keys.partner, openpgp_keys.other, tmp_path, info
    )


@pytest.fixture
def next_message() -> Callable[..., dict[str, object]]:
    """What a successor's message changes."""

    def changes(number: int, **more: object) -> dict[str, object]:
        name = f"credential{number}"
        return {
            "client_secret": client_secret.make(name, bytes([number]) * 32),
            "credential_id": name,
            "message_id": f"m{number}",
            "issued_at": 1000 + number,
            **more,
        }

    return changes


class Service:
    """An issuer and an API in one. `handle` maps a path to a function of (method, headers, body) -> (status, headers,
    body); `asked` has every token request's form, `calls` every call's Authorization header."""

    def __init__(self, port: int, ca: Path) -> None:
        self.url = f"https://localhost:{port}"
        self.ca = ca
        self.asked: list[dict[str, str]] = []
        self.calls: list[str | None] = []
        self.lifetime = 300
        self.expires_in: int | None = None
        self.good = "credential1"
        self.handle: dict[str, Callable[..., tuple[int, dict[str, str], bytes]]] = {
            "/oauth2/token": self.token,
            "/api/v1/studies": self.studies,
            "/api/openapi.json": self.openapi,
        }

    def token(self, _method: str, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str], bytes]:
        form = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        self.asked.append(form)
        pair = base64.b64decode(headers["authorization"].removeprefix("Basic ")).decode()
        if client_secret.credential_id(Secret(pair.partition(":")[2])) != self.good:
            return self.say(401, {"error": "invalid_client", "error_id": "e1"})
        token = f"token-{len(self.asked)}"
        document = {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime, "scope": form["scope"]}
        said = {} if self.expires_in is None else {"keyfob-credential-expires-in": str(self.expires_in)}
        return self.say(200, document, said)

    def studies(self, _method: str, headers: dict[str, str], _body: bytes) -> tuple[int, dict[str, str], bytes]:
        self.calls.append(headers.get("authorization"))
        if not headers.get("authorization", "").startswith("Bearer token-"):
            return self.say(401, {}, {"www-authenticate": 'Bearer error="invalid_token"'})
        return self.say(200, {"items": []})

    def openapi(self, *_: object) -> tuple[int, dict[str, str], bytes]:
        operation = {"security": [{"oauth2": ["studies:read"]}]}
        paths = {"/v1/studies": {"get": operation, "post": {"security": [{"oauth2": ["studies:write"]}]}}}
        schemes = {"oauth2": {"type": "oauth2", "flows": {}}}
        document = {"openapi": "3.1.0", "paths": paths, "components": {"securitySchemes": schemes}}
        return self.say(200, document)

    @staticmethod
    def say(status: int, document: object, headers: dict[str, str] | None = None) -> tuple[int, dict[str, str], bytes]:
        return status, {"content-type": "application/json", **(headers or {})}, json.dumps(document).encode()


@pytest.fixture
def service(tls_files, port) -> Iterator[Service]:
    service = Service(port, tls_files.ca)

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {name.lower(): value for name, value in self.headers.items()}
            handler = service.handle.get(self.path.partition("?")[0], lambda *_: Service.say(404, {}))
            status, found, content = handler(self.command, headers, body)
            self.send_response(status)
            for name, value in {**found, "content-length": str(len(content))}.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = answer  # noqa: N815  # the library's names

        def log_message(self, *_: object) -> None: ...

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls_files.certificate, tls_files.private_key)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), Handler)
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield service
    server.shutdown()
    server.server_close()
    thread.join()
