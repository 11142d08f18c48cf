"""An API behind the guard, under uvicorn with TLS, and the relay in front of it that sees what clients send.

`python -m interop.api` is the API; what it needs comes in the environment.
"""

import http.client
import json
import os
import socket
import ssl
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

from interop.relay import Connection, Relay
from keyfob import tls
from keyfob.guard import Guard, protect

STUDIES, STUDIES_SCOPE = "/studies", "studies:read"
PATIENTS, PATIENTS_SCOPE = "/Patient", "system/Patient.read"
SMART_CONFIGURATION = "/.well-known/smart-configuration"


class Api:
    """Runs until it is stopped. `files`: the folder with ca.pem, server.pem and server.key.

    `smart_configuration`: the issuer's document, which a FHIR server shows below its own URL as well.
    """

    def __init__(self, folder: Path, *, issuer: str, files: Path, smart_configuration: bytes) -> None:
        folder.mkdir()
        (folder / "smart.json").write_bytes(smart_configuration)
        self._port, upstream = _free_port(), _free_port()
        self.url = f"https://localhost:{self._port}"
        settings = {"ISSUER": issuer, "AUDIENCE": self.url, "FILES": str(files), "PORT": str(upstream)}
        environment = os.environ | settings | {"PYTHONPATH": str(Path(__file__).parents[1])}
        self._log = folder / "api.log"
        self._process = subprocess.Popen(
            [sys.executable, "-m", "interop.api"], cwd=folder, env=environment, stderr=self._log.open("w")
        )
        while not _answers(upstream):
            assert self._process.poll() is None, self._log.read_text()
        self._context: ssl.SSLContext = tls.client_context(files / "ca.pem", environ={})
        certificate, private_key = files / "server.pem", files / "server.key"
        authority = files / "ca.pem"
        self._relay = Relay(
            authority=authority, certificate=certificate, private_key=private_key, port=self._port, upstream=upstream
        )
        self._listening = self._relay.listening()
        self._listening.__enter__()

    def take(self) -> list[Connection]:
        return self._relay.take()

    def stop(self) -> None:
        self._listening.__exit__(None, None, None)
        self._process.terminate()
        self._process.wait(timeout=30)


def send_again(request: bytes, url: str, ca: Path) -> tuple[int, bytes]:
    """What a thief would do with `request`: the same bytes, once more. Status and body of the answer."""
    port = int(url.rpartition(":")[2])
    context = tls.client_context(ca, environ={})
    with socket.create_connection(("127.0.0.1", port), timeout=30) as plain:
        with context.wrap_socket(plain, server_hostname="localhost") as secured:
            secured.sendall(request)
            answer = http.client.HTTPResponse(secured)
            answer.begin()
            return answer.status, answer.read()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _answers(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


async def _asked_by(scope, _receive, send) -> None:
    token = scope["state"]["access_token"]
    await _say(send, 200, json.dumps({"asked by": token.client_id}).encode())


async def _say(send: Callable[[dict[str, object]], Awaitable[None]], status: int, body: bytes) -> None:
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _app(issuer: str, audience: str, files: Path):
    guard = Guard.discover(issuer, audience=audience, ca_file=files / "ca.pem")
    guarded = {
        STUDIES: protect(_asked_by, guard, STUDIES_SCOPE),
        PATIENTS: protect(_asked_by, guard, PATIENTS_SCOPE),
    }
    configuration = Path("smart.json").read_bytes()

    async def app(scope, receive, send) -> None:
        if scope["path"] in guarded:
            await guarded[scope["path"]](scope, receive, send)
        elif scope["path"] == SMART_CONFIGURATION:
            await _say(send, 200, configuration)
        else:
            await _say(send, 404, b"{}")

    return app


if __name__ == "__main__":
    import uvicorn

    given = Path(os.environ["FILES"])
    uvicorn.run(
        _app(os.environ["ISSUER"], os.environ["AUDIENCE"], given),
        port=int(os.environ["PORT"]),
        lifespan="off",
        log_level="warning",
        ssl_certfile=given / "server.pem",
        ssl_keyfile=given / "server.key",
    )
