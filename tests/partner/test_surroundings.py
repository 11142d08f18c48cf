"""Where partners' programs run: proxies, a .netrc, redirects, and logs and tracebacks that hold all there is."""

import asyncio
import contextlib
import copy
import gc
import http.server
import json
import logging
import pickle
import socket
import ssl
import threading
import traceback
from collections.abc import Iterator
from dataclasses import dataclass, field

import httpx
import httpx2
import pytest
import requests

from keyfob import tls
from keyfob.oauth.client_authentication import Method
from keyfob.partner import AsyncSession, Session, Unreachable, UnsafeCall, client_key, open_authorizer
from keyfob.partner.adapters import httpx as for_httpx
from keyfob.partner.adapters import httpx2 as for_httpx2
from keyfob.partner.adapters import requests as for_requests
from keyfob.partner.held import HeldToken, Identity
from keyfob.partner.possession import Prover
from keyfob.partner.renewal import Times
from keyfob.partner.steps import Request
from keyfob.secret import Secret


@pytest.fixture
def ready(handoff, service, monkeypatch):
    """A partner with its credential in the vault, and no proxy."""
    for name in ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)
    handoff.receive(handoff.message())
    handoff.api = f"{service.url}/api"
    return handoff


@dataclass
class Proxy:
    """A proxy by CONNECT (RFC 9110 §9.3.6). `leads_to`: another port than was asked for, as an inspecting one does."""

    leads_to: int | None = None
    asked: list[str] = field(default_factory=list)
    url: str = ""

    def serve(self, listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                threading.Thread(target=self.tunnel, args=(client,), daemon=True).start()

    def tunnel(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError):
            head = b""
            while b"\r\n\r\n" not in head:
                head += client.recv(4096)
            method, place, _ = head.split(b"\r\n")[0].decode().split(" ")
            self.asked.append(f"{method} {place}")
            with socket.create_connection(("127.0.0.1", self.leads_to or int(place.rpartition(":")[2]))) as server:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=self.pump, args=(server, client), daemon=True)
                back.start()
                self.pump(client, server)
                back.join()

    @staticmethod
    def pump(source: socket.socket, target: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while chunk := source.recv(65536):
                target.sendall(chunk)
            target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def proxy(leads_to: int | None = None) -> Iterator[Proxy]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        made = Proxy(leads_to)
        made.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        threading.Thread(target=made.serve, args=(listener,), daemon=True).start()
        yield made


def by_session(ready, service) -> int:
    with Session.open(vault=ready.vault, ca=service.ca) as session:
        return session.get("/v1/studies").status_code


def by_task(ready, service) -> int:
    async def call() -> int:
        async with AsyncSession.open(vault=ready.vault, ca=service.ca) as session:
            return (await session.get("/v1/studies")).status_code

    return asyncio.run(call())


def by_httpx(ready, service, url=None, ca=True) -> int:
    return _by_client(httpx, for_httpx, ready, service, url, ca)


def by_httpx2(ready, service, url=None, ca=True) -> int:
    return _by_client(httpx2, for_httpx2, ready, service, url, ca)


def _by_client(library, adapter, ready, service, url, ca) -> int:
    auth = adapter.KeyfobAuth(open_authorizer(vault=ready.vault, ca=service.ca if ca else None))
    with library.Client(auth=auth, verify=tls.client_context(service.ca, environ={})) as client:
        return client.get(url or f"{ready.api}/v1/studies").status_code


def by_requests(ready, service, url=None, ca=True) -> int:
    auth = for_requests.KeyfobAuth(open_authorizer(vault=ready.vault, ca=service.ca if ca else None))
    return requests.get(url or f"{ready.api}/v1/studies", auth=auth, verify=str(service.ca), timeout=9).status_code


ADAPTERS = (by_httpx, by_httpx2, by_requests)
EVERY_WAY = (by_session, by_task, *ADAPTERS)


@pytest.mark.parametrize("call", EVERY_WAY)
def test_a_proxy_is_used_by_connect_and_left_out_where_it_is_said_so(ready, service, monkeypatch, call):
    place = service.url.removeprefix("https://")
    with proxy() as through:
        monkeypatch.setenv("HTTPS_PROXY", through.url)
        assert call(ready, service) == 200
        assert set(through.asked) == {f"CONNECT {place}"}, "the token and the call alike, and nothing in clear"
        asked = len(through.asked)
        assert asked >= 2
        monkeypatch.setenv("NO_PROXY", "localhost")
        assert call(ready, service) == 200
        assert len(through.asked) == asked


@pytest.fixture
def inspecting(make_tls, tmp_path) -> Iterator[Proxy]:
    """A proxy that opens TLS, with a certificate of its own for every host."""
    other = make_tls(tmp_path / "inspecting")
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(other.certificate, other.private_key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with proxy(server.server_address[1]) as through:
        yield through
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("call", EVERY_WAY)
def test_a_proxy_that_opens_tls_is_named_by_the_issuer_of_the_chain_it_shows(
    ready, service, monkeypatch, inspecting, call
):
    monkeypatch.setenv("HTTPS_PROXY", inspecting.url)
    with pytest.raises(Unreachable) as refused:
        call(ready, service)
    assert refused.value.code == "certificate-not-trusted"
    assert "its chain is issued by CN=Keyfob throw-away authority" in refused.value.message
    assert "a proxy opens your TLS" in refused.value.hint
    assert service.asked == service.calls == []


@pytest.mark.parametrize("call", ADAPTERS)
def test_no_adapter_gives_a_token_to_plain_http_or_asks_for_one(ready, service, call):
    """RFC 6750 §5.2: a bearer token travels over TLS alone."""
    with pytest.raises(UnsafeCall) as refused:
        call(ready, service, ready.api.replace("https://", "http://") + "/v1/studies")
    assert refused.value.code == "plain-http"
    assert service.asked == service.calls == []


@pytest.mark.parametrize("call", ADAPTERS)
def test_a_private_authority_is_named_to_each_adapter_once_and_for_all(ready, service, monkeypatch, call):
    """The library's own setting does not vouch for the issuer: a token is asked for over keyfob's connection."""
    for name in ("KEYFOB_CA_FILE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(Unreachable) as refused:
        call(ready, service, ca=False)
    assert refused.value.code == "certificate-not-trusted" and "--ca FILE or KEYFOB_CA_FILE" in refused.value.hint
    assert service.asked == service.calls == []
    monkeypatch.setenv("KEYFOB_CA_FILE", str(service.ca))
    assert call(ready, service, ca=False) == 200


@pytest.mark.parametrize("named", ["socks5://user:pass-word@127.0.0.1:1", "ftp://user:pass-word@127.0.0.1:1"])
def test_a_proxy_that_cannot_be_used_is_told_without_its_password(ready, service, monkeypatch, named):
    monkeypatch.setenv("HTTPS_PROXY", named)
    with pytest.raises(Unreachable) as refused, Session.open(vault=ready.vault, ca=service.ca) as session:
        session.get("/v1/studies")
    assert "CONNECT" in refused.value.hint
    assert "pass-word" not in "".join(traceback.format_exception(refused.value))


def test_a_netrc_is_never_in_the_way(ready, service, monkeypatch, tmp_path, tls_files):
    """RFC 6750 §2: one credential a request, and it is ours."""
    netrc = tmp_path / ".netrc"
    netrc.touch(mode=0o600)
    netrc.write_text("machine localhost login netrc-user password netrc-word\n")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HOME", str(tmp_path))
    authorizer = open_authorizer(vault=ready.vault, ca=service.ca)
    requests.get(f"{ready.api}/v1/studies", auth=for_requests.KeyfobAuth(authorizer), verify=str(service.ca), timeout=9)
    for library, adapter in ((httpx, for_httpx), (httpx2, for_httpx2)):
        with library.Client(auth=adapter.KeyfobAuth(authorizer), verify=tls_files.client_context()) as client:
            assert client.get(f"{ready.api}/v1/studies").status_code == 200
    assert service.calls == ["Bearer token-1"] * 3


def test_a_redirect_to_another_origin_gets_no_token_whoever_follows_it(ready, service, tls_files):
    """RFC 9700 §4.9."""
    got = []
    service.handle["/elsewhere"] = lambda _m, headers, _b: (got.append(headers), service.say(200, {}))[1]
    elsewhere = service.url.replace("localhost", "127.0.0.1") + "/elsewhere"
    service.handle["/api/v1/studies"] = lambda *_: (307, {"location": elsewhere}, b"")
    authorizer = open_authorizer(vault=ready.vault, ca=service.ca)
    auth = for_requests.KeyfobAuth(authorizer)
    requests.get(f"{ready.api}/v1/studies", auth=auth, verify=str(service.ca), timeout=9)
    for library, adapter in ((httpx, for_httpx), (httpx2, for_httpx2)):
        auth = adapter.KeyfobAuth(authorizer)
        client = library.Client(auth=auth, verify=tls_files.client_context(), follow_redirects=True)
        with client, pytest.raises(UnsafeCall):
            client.get(f"{ready.api}/v1/studies")
    assert len(got) == 3
    assert not [headers for headers in got if {"authorization", "dpop"} & headers.keys()]


def hidden(ready, text: str) -> None:
    secret = ready.info.client_secret.reveal()
    for shown in (secret, "token-1", "Basic a", "Basic Y"):
        assert shown not in text, shown


def test_the_debug_logs_of_every_library_show_neither_secret_nor_token(ready, service, tls_files, caplog):
    caplog.set_level(logging.DEBUG)
    authorizer = open_authorizer(vault=ready.vault, ca=service.ca)
    requests.get(f"{ready.api}/v1/studies", auth=for_requests.KeyfobAuth(authorizer), verify=str(service.ca), timeout=9)
    with Session(authorizer, tls_files.client_context()) as session:
        assert session.get("/v1/studies").status_code == 200
    assert by_httpx(ready, service) == 200
    held = authorizer.source.token(frozenset({"studies:read"}), resource=ready.api)
    logging.getLogger("any").warning("%s %r", held, held.access_token, extra={"token": held, "source": authorizer})
    loud = {record.name.partition(".")[0] for record in caplog.records}
    assert {"httpx", "httpcore", "httpx2", "urllib3"} <= loud
    hidden(ready, "\n".join(f"{record.getMessage()} {record.__dict__!r}" for record in caplog.records))


def test_a_traceback_with_all_local_variables_shows_neither(ready, service):
    def broken(*_: object) -> tuple[int, dict[str, str], bytes]:
        return 200, {"content-type": "application/json", "transfer-encoding": "chunked"}, b"no chunk\r\n"

    service.handle["/oauth2/token"] = broken
    for options in ({}, {"secret_in_body": True}):
        with Session.open(vault=ready.vault, ca=service.ca, **options) as session:
            with pytest.raises(Unreachable) as failed:
                session.get("/v1/studies")
            told = traceback.TracebackException.from_exception(failed.value, capture_locals=True)
            text = "".join(told.format())
            assert "HttpsTransport" in text
            hidden(ready, text)
            assert "client_secret=kfs" not in text


def test_a_secret_is_let_go_of_as_soon_as_it_was_sent_and_a_token_with_its_session(ready, service, next_message):
    """One of this test's own: what others have left is not looked at."""
    mark = service.good = "credential200"
    ready.receive(ready.message(**next_message(200)))

    def alive() -> tuple[int, int]:
        found = gc.get_objects()
        secrets = [one for one in found if isinstance(one, Secret) and mark.encode() in one.reveal_bytes()]
        return len(secrets), len([one for one in found if isinstance(one, HeldToken) and one.credential_id == mark])

    with Session.open(vault=ready.vault, ca=service.ca) as session:
        assert session.get("/v1/studies").status_code == 200
        assert alive() == (0, 1)
    del session
    assert alive() == (0, 0)


@pytest.mark.parametrize("give_away", [pickle.dumps, copy.deepcopy, json.dumps])
def test_what_holds_a_secret_cannot_be_given_away(give_away):
    key = client_key.generate()
    prover = Prover(key, now=lambda: 1, entropy=lambda count: bytes(count))
    identity = Identity("c1", Method.CLIENT_SECRET_BASIC, "")
    held = HeldToken(Secret("a-token"), identity, frozenset(), (), Times(1, 2, 3), prover)
    request = Request("POST", "https://x", (), Secret("a-token"), Secret("a-token"))
    for one in (key, held, request):
        assert "a-token" not in f"{one} {one!r}"
        assert "PRIVATE" not in f"{one!r} {vars(prover)!r}"
        if one is not key or give_away is not copy.deepcopy:
            with pytest.raises(TypeError):
                give_away(one)
