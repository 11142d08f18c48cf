"""Tokens that are bound to a certificate (RFC 8705 §3): behind a real Caddy that asks the guard, with real handshakes;
and at an ASGI application behind a proxy. (Where the API has the handshake: tests/cdms/test_certificate_bound.py.)
"""

import contextlib
import http.client
import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import uvicorn

import client_certs
import proxies
from keyfob import tls
from keyfob.guard import Guard, protect
from keyfob.oauth import client_cert_header
from keyfob.oauth.mutual_tls import PresentedCertificate

EXAMPLES = Path(__file__).parent / "examples"
AUDIENCE = "https://api.example"
MINE, OTHER = client_certs.make("mine"), client_certs.make("another")


@dataclass(frozen=True)
class Place:
    issuer: object
    folder: Path
    ports: dict[str, int]

    def token(self, pair: client_certs.Pair | None) -> str:
        now = int(time.time())
        cnf = {} if pair is None else {"cnf": {"x5t#S256": PresentedCertificate(pair.der).thumbprint}}
        said = {"iat": now, "exp": now + 300, "scope": "orders:read", "jti": os.urandom(8).hex()}
        return self.issuer.token(**said, **cnf).reveal()

    def ask(self, where: str, token: str, pair: client_certs.Pair | None = None, **headers: str) -> tuple[int, object]:
        if where == "caddy":
            context = tls.client_context(self.issuer.ca, environ={})
            if pair is not None:
                pair.load_into(context, self.folder)
            connection = http.client.HTTPSConnection("localhost", self.ports[where], context=context, timeout=30)
        else:
            connection = http.client.HTTPConnection("127.0.0.1", self.ports[where], timeout=30)
        said = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", "/orders/7", headers={"authorization": f"Bearer {token}", **said})
        response = connection.getresponse()
        found = response.status, json.loads(response.read())
        connection.close()
        return found


async def api(scope, receive, send) -> None:
    """It says which headers came: what the proxy told of the caller, and nothing that could be used by itself."""
    headers = {name.decode(): value.decode() for name, value in scope["headers"]}
    body = json.dumps({"client": headers.get("keyfob-client-id"), "came": sorted(headers)}).encode()
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": body})


@contextlib.contextmanager
def serving(app, port: int) -> Iterator[None]:
    server = uvicorn.Server(uvicorn.Config(app, port=port, lifespan="off", log_level="warning", proxy_headers=False))
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture(scope="module")
def place(tmp_path_factory, tls_files, free_port_of, serving_an_issuer) -> Iterator[Place]:
    folder = tmp_path_factory.mktemp("certificates")
    ports = {name: free_port_of() for name in ("caddy", "guard", "api", "trusting", "wary")}
    with contextlib.ExitStack() as started:
        issuer = started.enter_context(serving_an_issuer())
        place = Place(issuer, folder, ports)
        for name, trusted in (("trusting", "127.0.0.1"), ("wary", "192.0.2.1")):
            guard = Guard.discover(issuer.url, audience=AUDIENCE, ca_file=issuer.ca)
            started.enter_context(serving(protect(api, guard, "orders:read", trusted_proxy=trusted), ports[name]))
        started.enter_context(serving(api, ports["api"]))
        command = (
            *(sys.executable, "-m", "keyfob.guard.cli", "serve", "--issuer", issuer.url, "--resource", AUDIENCE),
            *("--routes", str(EXAMPLES / "routes.json"), "--ca", str(issuer.ca), "--port", str(ports["guard"])),
            "--client-certificates",
        )
        log = started.enter_context((folder / "log").open("w"))
        service = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log)
        started.callback(service.wait)
        started.callback(service.terminate)
        files = tls_files.certificate, tls_files.private_key
        said = {"port": ports["caddy"], "guard": ports["guard"], "api": ports["api"], "tls": files}
        started.enter_context(proxies.running("caddy", folder / "caddy", **said))
        deadline = time.monotonic() + 60
        for where in ("trusting", "wary", *(("caddy",) if proxies.PROGRAMS["caddy"] else ())):
            while not answers(place, where):
                assert time.monotonic() < deadline, (folder / "log").read_text()
        yield place


def answers(place: Place, where: str) -> bool:
    try:
        return place.ask(where, place.token(None))[0] == 200
    except (OSError, ValueError):
        time.sleep(0.05)
        return False


@pytest.mark.skipif(proxies.PROGRAMS["caddy"] is None, reason="no caddy on this machine")
def test_behind_caddy_a_bound_token_comes_in_in_a_connection_with_its_certificate_alone(place):
    """RFC 8705 §3, RFC 9440 §4: and what a client says in the proxy's words is taken out."""
    bound = place.token(MINE)
    status, answer = place.ask("caddy", bound, MINE)
    assert (status, answer["client"]) == (200, "cl_1")
    assert not {"authorization", "dpop", "client-cert", "client-cert-chain"} & set(answer["came"])
    forged = {"client_cert": client_cert_header.write(MINE.der).decode()}
    for pair, headers in ((None, {}), (OTHER, {}), (None, forged), (OTHER, forged)):
        assert place.ask("caddy", bound, pair, **headers)[0] == 401
    for pair in (None, OTHER):
        assert place.ask("caddy", place.token(None), pair)[0] == 200


def test_an_asgi_application_takes_the_word_of_its_own_proxy_alone(place):
    """RFC 9440 §4: whoever else sends Client-Cert sends it for nothing."""
    bound, said = place.token(MINE), client_cert_header.write(MINE.der).decode()
    assert place.ask("trusting", bound, client_cert=said)[0] == 200
    assert place.ask("wary", bound, client_cert=said)[0] == 401
    for wrong in (client_cert_header.write(OTHER.der).decode(), "::", "x", said + ", " + said):
        assert place.ask("trusting", bound, client_cert=wrong)[0] == 401
    assert place.ask("trusting", bound)[0] == 401
