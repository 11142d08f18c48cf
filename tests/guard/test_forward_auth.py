"""What a proxy is answered, in the form in which each kind asks; and that one kind's word is not another's."""

import asyncio
import base64
import json

import pytest

from keyfob.ambient import system_entropy
from keyfob.guard import Guard, route_table
from keyfob.guard.forward_auth import make_app
from keyfob.oauth import trusted_proxies

AUDIENCE = "https://api.example"
NOW = 1_000_000
METADATA = f"{AUDIENCE}/.well-known/oauth-protected-resource"
TABLE = {"GET /orders/{order}": ["orders:read", "orders:admin audit:read"], "GET /health": None}


@pytest.fixture(scope="module")
def ask(session_issuer):
    guard = Guard.discover(session_issuer.url, audience=AUDIENCE, ca_file=session_issuer.ca, clock=lambda: NOW)
    table = route_table.read(json.dumps(TABLE).encode(), resource=AUDIENCE, source="routes.json")
    app = make_app(guard, table, resource_metadata=METADATA, client_certificates=False, entropy=system_entropy)
    with asyncio.Runner() as runner:

        def ask(
            path: str, *headers: tuple[str, str], method: str = "GET", query: str = "", peer: str = "127.0.0.1", app=app
        ):
            said = [(name.lower().encode(), value.encode()) for name, value in headers]
            scope = {
                "type": "http", "http_version": "1.1", "method": method, "path": path, "raw_path": path.encode(),
                "query_string": query.encode(), "headers": [(b"host", b"guard"), *said], "client": (peer, 1),
            }  # fmt: skip
            sent = []

            async def receive():
                return {"type": "http.request", "body": b""}

            async def send(message):
                sent.append(message)

            runner.run(app(scope, receive, send))
            headers_sent = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
            return sent[0]["status"], headers_sent, b"".join(part.get("body", b"") for part in sent[1:])

        yield ask


@pytest.fixture(scope="module")
def bearer(session_issuer):
    return lambda **changes: ("Authorization", f"Bearer {session_issuer.token(**changes).reveal()}")


def forms(method: str, target: str) -> dict[str, tuple[str, dict[str, str], tuple[tuple[str, str], ...]]]:
    path, _, query = target.partition("?")
    return {
        "nginx": ("/nginx", {}, (("Keyfob-Original-Method", method), ("Keyfob-Original-URI", target))),
        "forwarded": ("/forwarded", {}, (("X-Forwarded-Method", method), ("X-Forwarded-Uri", target))),
        "envoy": ("/envoy" + path, {"method": method, "query": query}, ()),
    }


@pytest.mark.parametrize("proxy", ["nginx", "forwarded", "envoy"])
def test_each_kind_of_proxy_is_told_who_calls(ask, bearer, proxy):
    path, more, headers = forms("GET", "/orders/7?x=1")[proxy]
    details = [{"type": "cdms_study", "identifier": "Ü.1"}]
    for scope in ("orders:read", "audit:read orders:admin"):
        status, said, body = ask(path, bearer(scope=scope, authorization_details=details), *headers, **more)
        assert (status, body) == (200, b"")
        assert (said["keyfob-client-id"], said["keyfob-scope"], said["keyfob-token-id"]) == ("cl_1", scope, "j")
        assert json.loads(said["keyfob-authorization-details"]) == details
        assert said["cache-control"] == "no-store"


@pytest.mark.parametrize("proxy", ["nginx", "forwarded", "envoy"])
def test_each_kind_of_proxy_is_refused_as_the_client_should_see_it(ask, bearer, proxy):
    """RFC 6750 §3.1."""
    cases = {
        ("GET", "/orders/7", None): (401, "missing_token"),
        ("GET", "/orders/7", "other"): (403, "insufficient_scope"),
        ("GET", "/orders/7", "orders:admin"): (403, "insufficient_scope"),
        ("GET", "/nothing", "orders:read"): (404, "unknown_route"),
        ("POST", "/orders/7", "orders:read"): (404, "unknown_route"),
        ("GET", "/orders/a%2fb", "orders:read"): (400, "invalid_request"),
        ("GET", "/orders/7?access_token=x", None): (400, "invalid_request"),
    }
    for (method, target, scope), (wanted, code) in cases.items():
        path, more, headers = forms(method, target)[proxy]
        token = () if scope is None else (bearer(scope=scope),)
        status, said, body = ask(path, *token, *headers, **more)
        assert (status, json.loads(body)["code"]) == (wanted, code), (method, target, scope)
        assert "keyfob-client-id" not in said
        if wanted in (401, 403):
            assert 'scope="orders:read"' in said["www-authenticate"] and METADATA in said["www-authenticate"]


def test_where_proxies_are_named_nobody_else_is_answered(ask, bearer, session_issuer):
    """RFC 9700 §4.13: else anybody could say which certificate a client has."""
    guard = Guard.discover(session_issuer.url, audience=AUDIENCE, ca_file=session_issuer.ca, clock=lambda: NOW)
    table = route_table.read(json.dumps(TABLE).encode(), resource=AUDIENCE, source="routes.json")
    app = make_app(
        guard, table, resource_metadata=METADATA, client_certificates=True, entropy=system_entropy,
        trusted_proxies=trusted_proxies.read(("192.0.2.1", "10.42.0.0/16")),
    )  # fmt: skip
    token = bearer(scope="orders:read")
    for peer, wanted in (("192.0.2.1", 200), ("10.42.7.7", 200), ("192.0.2.2", 403), ("127.0.0.1", 403)):
        for path in ("/envoy/orders/7", "/envoy/health", "/healthz"):
            assert ask(path, token, peer=peer, app=app)[0] == wanted
    _, said, body = ask("/envoy/orders/7", token, peer="192.0.2.2", app=app)
    assert json.loads(body)["error"] == "forbidden" and "keyfob-client-id" not in said


def test_a_route_without_a_token_tells_of_nobody(ask, bearer):
    status, said, _ = ask("/envoy/health", bearer(scope="orders:read"))
    assert status == 200 and not [name for name in said if name.startswith("keyfob-") and name != "keyfob-request-id"]


def test_what_another_kind_of_proxy_would_pass_on_from_the_client_is_not_believed(ask, bearer):
    """Behind nginx, X-Forwarded-Uri is the client's own word; behind Traefik, Keyfob-Original-URI is."""
    public = (("X-Forwarded-Method", "GET"), ("X-Forwarded-Uri", "/health"))
    real = (("Keyfob-Original-Method", "GET"), ("Keyfob-Original-URI", "/orders/7"))
    assert ask("/nginx", *real, *public)[0] == 401
    assert ask("/envoy/orders/7", *public)[0] == 401
    assert ask("/forwarded", *real)[0] == 400
    # A header that came twice is nobody's word.
    assert ask("/forwarded", *public, ("X-Forwarded-Uri", "/health"))[0] == 400
    assert ask("/nginx")[0] == 400 and ask("/")[0] == 400 and ask("/nginx/")[0] == 400


def test_nginx_gets_the_refusal_to_write_it_out_and_never_a_permission(ask):
    _, said, body = ask("/nginx", ("Keyfob-Original-Method", "GET"), ("Keyfob-Original-URI", "/orders/7"))
    status, written, again = ask("/refusal", ("Keyfob-Refusal", said["keyfob-refusal"]))
    assert (status, again) == (401, body)
    assert "www-authenticate" in said and "www-authenticate" not in written, "nginx repeats it, for a 401 alone"

    def packed(document: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(document).encode()).decode()

    good = {"status": 200, "headers": {}, "body": "come in"}
    for broken in (packed(good), packed({}), packed([]), packed({**good, "status": "x"}), "!", "", "e30"):
        status, written, body = ask("/refusal", ("Keyfob-Refusal", broken))
        assert status == 503 and b"come in" not in body and "retry-after" in written
    assert ask("/refusal")[0] == 503
    forged = {"set-cookie": "a=b", "www-authenticate": "Bearer\r\nset-cookie: a=b", "retry-after": "5"}
    status, written, _ = ask("/refusal", ("Keyfob-Refusal", packed({"status": 403, "headers": forged, "body": ""})))
    assert (status, written["retry-after"]) == (403, "5")
    assert not {"set-cookie", "www-authenticate"} & set(written)
