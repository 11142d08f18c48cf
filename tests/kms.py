"""AWS KMS for the tests: moto's real server in a process of its own, and a proxy before it that can fail as nets do."""

import contextlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

REGION = "eu-central-1"
ACCOUNT = "123456789012"
CREDENTIALS = {"AWS_ACCESS_KEY_ID": "AKIAIOSFODNN7EXAMPLE", "AWS_SECRET_ACCESS_KEY": "only-for-moto"}


class Proxy:
    """TCP between a client and KMS. `mode`: `pass`; `away` closes each connection; `hang` never answers; else the name
    of an error of AWS, with which each request is answered; or each of one operation. `calls`: what was asked for.
    """

    def __init__(self, target: int) -> None:
        self.mode = "pass"
        self.only: str | None = None
        self.calls: list[str] = []
        self._target = target
        self._open: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def set(self, mode: str, only: str | None = None) -> None:
        """Connections that are open feel it, too."""
        self.mode, self.only = mode, only
        if mode == "away":
            for one in list(self._open):
                with contextlib.suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._listener.close()
        self.set("away")

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            if self.mode == "away" and self.only is None:
                client.close()
                continue
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        self._open.add(client)
        with contextlib.suppress(OSError), client:
            while request := _read_request(client):
                head = request.partition(b"\r\n\r\n")[0].lower()
                operation = head.partition(b"trentservice.")[2].partition(b"\r\n")[0].decode()
                self.calls.append(operation)
                if self.mode == "pass" or self.only not in (None, operation):
                    client.sendall(self._forward(request))
                elif self.mode == "hang":
                    client.recv(1)  # until the client gives up
                elif self.mode == "away":
                    break
                else:
                    client.sendall(_refusal(self.mode))
        self._open.discard(client)

    def _forward(self, request: bytes) -> bytes:
        with socket.create_connection(("127.0.0.1", self._target), timeout=30) as server:
            server.sendall(request.replace(b"\r\n", b"\r\nConnection: close\r\n", 1))
            answer = b"".join(iter(lambda: server.recv(65536), b""))
        return answer.replace(b"\r\nConnection: close", b"", 1)


def _read_request(client: socket.socket) -> bytes:
    received = b""
    while b"\r\n\r\n" not in received:
        part = client.recv(65536)
        if not part:
            return b""
        received += part
    head, _, body = received.partition(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0])
    while len(body) < length:
        body += client.recv(65536)
    return head + b"\r\n\r\n" + body


def _refusal(code: str) -> bytes:
    body = json.dumps({"__type": code, "message": "for arn:aws:iam::123456789012:user/somebody"}).encode()
    status = b"500 Error" if code == "KMSInternalException" else b"400 Bad Request"
    lines = (b"HTTP/1.1 " + status, b"Content-Type: application/x-amz-json-1.1", b"Content-Length: %d" % len(body))
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


@dataclass
class Cloud:
    """`admin` talks to KMS past the proxy, as its owner does."""

    proxy: Proxy
    admin: object

    def new_key(self, spec: str = "SYMMETRIC_DEFAULT") -> str:
        """Its ARN as Keyfob is given it."""
        usage = "ENCRYPT_DECRYPT" if spec == "SYMMETRIC_DEFAULT" else "SIGN_VERIFY"
        made = self.admin.create_key(KeySpec=spec, KeyUsage=usage)["KeyMetadata"]
        return f"aws-kms:{made['Arn']}"

    def new_alias(self, name: str, key: str) -> str:
        self.admin.create_alias(AliasName=f"alias/{name}", TargetKeyId=id_of(key))
        return f"aws-kms:arn:aws:kms:{REGION}:{ACCOUNT}:alias/{name}"


def id_of(key: str) -> str:
    """moto disables a key by its id alone."""
    return key.rpartition("/")[2]


@pytest.fixture(scope="session")
def kms_port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    log = tmp_path_factory.mktemp("kms") / "log"
    with log.open("w") as told:
        process = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("kms_server.py")), str(port)], stdout=told, stderr=told
        )
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            break
        assert process.poll() is None and time.monotonic() < deadline, log.read_text()
        time.sleep(0.05)
    yield port
    process.kill()
    process.wait()


@pytest.fixture(scope="session")
def kms_admin(kms_port: int) -> object:
    import boto3
    from botocore.config import Config

    session = boto3.session.Session("AKIAADMIN", "only-for-moto", region_name=REGION)
    return session.client("kms", endpoint_url=f"http://127.0.0.1:{kms_port}", config=Config(read_timeout=60))


@contextlib.contextmanager
def reached(port: int, admin: object) -> Iterator[Cloud]:
    """KMS as this process and those that it starts find it, by boto3's own variables."""
    proxy = Proxy(port)
    environ = {**CREDENTIALS, "AWS_ENDPOINT_URL": proxy.url, "AWS_EC2_METADATA_DISABLED": "true"}
    with pytest.MonkeyPatch.context() as patched:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patched.delenv(name)
        for name, value in environ.items():
            patched.setenv(name, value)
        yield Cloud(proxy, admin)
    proxy.close()


@pytest.fixture
def cloud(kms_port: int, kms_admin: object) -> Iterator[Cloud]:
    with reached(kms_port, kms_admin) as made:
        yield made


@pytest.fixture
def secrets_manager(cloud: Cloud, kms_port: int) -> object:
    """As its owner sees it; past the proxy."""
    import boto3

    session = boto3.session.Session("AKIAADMIN", "only-for-moto", region_name=REGION)
    return session.client("secretsmanager", endpoint_url=f"http://127.0.0.1:{kms_port}")
