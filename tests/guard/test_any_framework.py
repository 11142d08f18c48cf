"""One API eight times, real servers on real sockets: the same tokens come in everywhere, and the same are refused."""

import contextlib
import http.client
import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from wsgiref.simple_server import make_server

import pytest

import hostile_tokens
import proxies
from keyfob.guard import Guard, wsgi
from keyfob.jose import keys
from keyfob.jose.compact import decode
from keyfob.jose.proofs import sign_proof
from keyfob.oauth.revocation_feed import Subject
from keyfob.secret import Secret

EXAMPLES = Path(__file__).parent / "examples"
AUDIENCE = "https://api.example"
BEHIND = {f"node behind {kind}": kind for kind in proxies.PROGRAMS}
APIS = ("fastapi", "litestar", "flask", "django wsgi", "django asgi", *BEHIND)
UVICORN = (sys.executable, "-m", "uvicorn", "--log-level", "warning", "--port")
# The application is loaded before the workers are forked: the guard begins anew in each.
GUNICORN = (sys.executable, "-m", "gunicorn", "--preload", "--workers", "2", "--log-level", "warning", "--bind")


@dataclass(frozen=True)
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> dict[str, object]:
        return json.loads(self.body)


@dataclass(frozen=True)
class World:
    issuer: object
    ports: dict[str, int]

    def token(self, **changes: object) -> str:
        now = int(time.time())
        claims = {"iat": now, "exp": now + 300, "scope": "orders:read", "jti": os.urandom(8).hex(), **changes}
        return self.issuer.token(**claims).reveal()

    def ask(self, api: str, token: str | None, method: str = "GET", path: str = "/orders/7", **headers: str) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", self.ports[api], timeout=30)
        said = {} if token is None else {"authorization": f"Bearer {token}"}
        connection.request(method, path, headers={**said, **headers})
        response = connection.getresponse()
        found = {name.lower(): value for name, value in response.getheaders()}
        answer = Answer(response.status, found, response.read())
        connection.close()
        return answer


@pytest.fixture(scope="module")
def world(tmp_path_factory, tls_files, free_port_of, serving_an_issuer) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("apis")
    ports = {name: free_port_of() for name in (*APIS, "guard", "node")}
    with serving_an_issuer() as issuer:
        issuer.offer_feed(lambda: int(time.time()))
        key = folder / "resource-key.pem"
        key.touch(mode=0o600)
        key.write_bytes(issuer.resource_key.to_secret().reveal_bytes())
        environment = {
            **os.environ,
            "ISSUER": issuer.url,
            "AUDIENCE": AUDIENCE,
            "CA_FILE": str(issuer.ca),
            "RESOURCE_KEY": str(key),
            "PORT": str(ports["node"]),
            "REPLAYS": str(folder / "replays"),
        }
        commands = {
            "fastapi": (*UVICORN, str(ports["fastapi"]), "fastapi_api:app"),
            "litestar": (*UVICORN, str(ports["litestar"]), "litestar_api:app"),
            "flask": (*GUNICORN, f"127.0.0.1:{ports['flask']}", "flask_api:app"),
            "django wsgi": (*GUNICORN, f"127.0.0.1:{ports['django wsgi']}", "django_api:wsgi"),
            "django asgi": (*UVICORN, str(ports["django asgi"]), "--lifespan", "off", "django_api:asgi"),
            "guard": (
                *(sys.executable, "-m", "keyfob.guard.cli", "serve", "--issuer", issuer.url, "--resource", AUDIENCE),
                *("--routes", "routes.json", "--resource-key", str(key), "--ca", str(issuer.ca)),
                *(
                    "--port",
                    str(ports["guard"]),
                    "--dpop-nonce",
                    *("--trusted-proxy", "127.0.0.1"),
                    "--workers",
                    "2",
                    "--replays",
                    str(folder / "replays of the service"),
                ),
            ),
        }
        node = shutil.which("node")
        if node is not None:
            commands["node"] = (node, "node_api.mjs")
        with (folder / "log").open("w") as log:
            running = [
                subprocess.Popen(command, cwd=EXAMPLES, env=environment, stdout=log, stderr=log)
                for command in commands.values()
            ]
        try:
            with contextlib.ExitStack() as proxied:
                for api, kind in BEHIND.items():
                    place = {"port": ports[api], "guard": ports["guard"], "api": ports["node"]}
                    described = json.dumps({"resource": AUDIENCE})
                    proxied.enter_context(proxies.running(kind, folder / kind, description=described, **place))
                world = World(issuer, ports)
                for api in (*filter(is_here, APIS), "guard"):
                    _until(lambda api=api: world.ask(api, None, path="/healthz" if api == "guard" else "/health"))
                yield world
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait()
            said = (folder / "log").read_text()
            # The one that a test below provokes.
            assert said.count("Traceback") == said.count("RuntimeError: name one of the scopes")


def _until(act: Callable[[], Answer]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            if act().status == 200:
                return
        except OSError:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.fixture(scope="module", params=APIS)
def api(request, world) -> str:
    if not is_here(request.param):
        pytest.skip(f"not all of {request.param} is on this machine")
    return request.param


def is_here(api: str) -> bool:
    return api not in BEHIND or (shutil.which("node") is not None and proxies.PROGRAMS[BEHIND[api]] is not None)


def test_a_good_token_comes_in_and_the_handler_knows_whose_it_is(world, api):
    for _ in range(3):
        answer = world.ask(api, world.token())
        assert (answer.status, answer.json) == (200, {"client": "cl_1", "order": "7"})
    again = world.token()
    assert [world.ask(api, again).status for _ in range(3)] == [200] * 3
    assert world.ask(api, None, path="/health").status == 200


def test_nothing_but_the_token_says_who_calls(world, api):
    answer = world.ask(api, world.token(), **{"Keyfob-Client-Id": "cl_2", "Keyfob-Scope": "orders:write"})
    assert answer.json["client"] == "cl_1"
    public = world.ask(api, None, path="/health", **{"Keyfob-Client-Id": "cl_2"})
    assert b"cl_2" not in public.body


def test_without_a_token_the_challenge_names_the_scope_and_no_error(world, api):
    """RFC 6750 §3, §3.1, RFC 9728 §5.1."""
    answer = world.ask(api, None)
    assert answer.status == 401
    metadata = f"{AUDIENCE}/.well-known/oauth-protected-resource"
    assert answer.headers["www-authenticate"] == f'Bearer scope="orders:read", resource_metadata="{metadata}"'
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["keyfob-scope-needed"] == "orders:read"
    assert "access token" in answer.json["detail"]


def test_each_scope_of_the_route_is_needed_and_the_missing_one_is_told(world, api):
    """RFC 6750 §3.1: insufficient_scope, with the scope that is needed."""
    both = world.token(scope="orders:write orders:read other")
    assert world.ask(api, both, "POST").json == {"client": "cl_1", "order": "7"}
    for scope in ("orders:read", "orders:write", "orders:reader orders:write", "ORDERS:READ orders:write"):
        answer = world.ask(api, world.token(scope=scope), "POST")
        assert answer.status == 403, scope
        assert 'error="insufficient_scope"' in answer.headers["www-authenticate"]
        assert 'scope="orders:read orders:write"' in answer.headers["www-authenticate"]
        assert answer.headers["keyfob-scope-needed"] == "orders:read orders:write"


@pytest.fixture(scope="module")
def hostile(world) -> dict[str, str]:
    issuer = world.issuer
    made = hostile_tokens.make(issuer.url, AUDIENCE, issuer.key, issuer.feed_key)
    assert len(made) >= 21
    return made


def test_each_hostile_token_is_refused(world, api, hostile):
    seen = {name: world.ask(api, token, "POST") for name, token in hostile.items()}
    assert {name: answer.status for name, answer in seen.items()} == dict.fromkeys(hostile, 401)
    assert all('error="invalid_token"' in answer.headers["www-authenticate"] for answer in seen.values())


def test_requests_that_say_two_things_are_refused(world, api):
    """RFC 6750 §2, §2.3: one token, and never in the URL."""
    token = world.token()
    in_url = world.ask(api, None, path=f"/orders/7?access_token={token}")
    assert in_url.status == 400 and token.encode() not in in_url.body
    assert world.ask(api, token, path="/orders/7?%61ccess_token=x").status == 400
    connection = http.client.HTTPConnection("127.0.0.1", world.ports[api], timeout=30)
    connection.putrequest("GET", "/orders/7")
    connection.putheader("Authorization", f"Bearer {token}")
    connection.putheader("Authorization", f"Bearer {token}")
    connection.endheaders()
    assert connection.getresponse().status == 400
    connection.close()


@pytest.mark.parametrize(
    "path", ["/orders/a%2Fb", "/orders/a%5cb", "/orders/%252e%252e", "/orders/..%2f..", "/orders/%00"]
)
def test_a_path_that_can_be_read_in_two_ways_comes_to_no_handler(world, api, path):
    answer = world.ask(api, world.token(), path=path)
    assert answer.status in (400, 404), answer
    assert b"cl_1" not in answer.body


def test_what_was_revoked_is_refused_everywhere_within_the_stated_bound(world):
    """Seen from outside, with the real clock: 5 seconds after the issuer says so, at the latest."""
    token = world.token()
    served = list(filter(is_here, APIS))
    assert [world.ask(name, token).status for name in served] == [200] * len(served)
    world.issuer.withdraw(Subject.TOKEN, read_unverified(token)["jti"])
    told = time.monotonic()
    refused: dict[str, int] = dict.fromkeys(served, 0)
    while min(refused.values()) < 8:  # by each of its processes
        assert time.monotonic() < told + 120, refused
        for name in served:
            asked = time.monotonic()
            answer = world.ask(name, token)
            # Whoever asks later than that is refused; how long all the asking takes is the machine's business.
            assert answer.status == 401 or asked < told + 5, name
            refused[name] = refused[name] + 1 if answer.status == 401 else 0
            assert answer.status == 200 or 'error="invalid_token"' in answer.headers["www-authenticate"]
        time.sleep(0.05)


def read_unverified(token: str) -> dict[str, object]:
    return json.loads(decode(token.split(".")[1].encode()))


def test_a_dpop_proof_comes_in_once_with_a_nonce_of_the_guards(world, api):
    """RFC 9449 §7.1, §9, §11.1: also where several processes judge, each of which takes the other's nonces."""
    key = keys.generate("ES256")
    token = world.token(cnf={"jkt": key.kid})
    url, now = f"{AUDIENCE}/orders/7", int(time.time())

    def ask(nonce: str | None) -> Answer:
        proof = sign_proof(
            key, method="GET", url=url, now=now, jti=f"{api} {nonce}", access_token=Secret(token), nonce=nonce
        )
        return world.ask(api, None, Authorization=f"DPoP {token}", DPoP=proof.reveal())

    challenged = ask(None)
    assert challenged.status == 401
    assert challenged.headers["www-authenticate"].startswith('DPoP error="use_dpop_nonce"')
    nonce = challenged.headers["dpop-nonce"]
    answers = [ask(nonce).status for _ in range(6)]
    assert answers == [200, 401, 401, 401, 401, 401]
    refused = ask(nonce)
    assert refused.headers["www-authenticate"].startswith('DPoP error="invalid_dpop_proof"')
    assert 'scope="orders:read"' in refused.headers["www-authenticate"]


@pytest.mark.parametrize("api", BEHIND, indirect=True)
def test_a_route_that_the_table_does_not_name_is_refused_by_the_guard(world, api):
    for method, path in (("DELETE", "/orders/7"), ("GET", "/admin"), ("GET", "/orders/7/lines"), ("GET", "/orders//7")):
        answer = world.ask(api, world.token(), method, path)
        assert answer.status in (400, 404), (method, path)
        assert b"client" not in answer.body


@pytest.mark.parametrize("api", BEHIND, indirect=True)
def test_a_proxy_hands_out_what_the_challenge_names_and_repeats_nothing(world, api):
    """RFC 9728 §3, §5.1: before anybody has a token. RFC 6750 §3: one challenge."""
    document = world.ask(api, None, path="/.well-known/oauth-protected-resource")
    assert (document.status, document.json["resource"]) == (200, AUDIENCE)
    assert document.headers["content-type"] == "application/json"
    connection = http.client.HTTPConnection("127.0.0.1", world.ports[api], timeout=30)
    for token, status in ((None, 401), (world.token(scope="other"), 403)):
        connection.request("GET", "/orders/7", headers={"authorization": f"Bearer {token}"} if token else {})
        answer = connection.getresponse()
        assert answer.status == status and len(answer.headers.get_all("www-authenticate")) == 1
        answer.read()
    connection.close()


def test_a_dependency_that_names_no_scope_admits_nobody(world):
    assert world.ask("fastapi", world.token(), path="/forgotten").status == 500


def test_fastapi_describes_what_each_route_needs(world):
    document = world.ask("fastapi", None, path="/openapi.json").json
    operation = document["paths"]["/orders/{order}"]
    assert operation["get"]["security"] == [{"oauth2": ["orders:read"]}]
    assert operation["post"]["security"] == [{"oauth2": ["orders:read", "orders:write"]}]


def test_any_wsgi_application_is_protected_by_a_wrapper(world):
    guard = Guard.discover(world.issuer.url, audience=AUDIENCE, ca_file=world.issuer.ca)

    def application(environ, start_response):
        start_response("200 OK", [("content-type", "text/plain")])
        return [environ["keyfob.access_token"].client_id.encode()]

    protected = wsgi.protect(application, guard, "orders:read")
    with make_server("127.0.0.1", 0, protected) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        there = World(world.issuer, {"wsgi": server.server_port})
        assert there.ask("wsgi", world.token()).body == b"cl_1"
        refused = there.ask("wsgi", world.token(scope="other"))
        assert (refused.status, refused.json["code"]) == (403, "insufficient_scope")
        server.shutdown()
