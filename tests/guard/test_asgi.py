"""keyfob.guard in front of real Starlette handlers and plain ASGI applications."""

import pytest
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Mount, Route
from starlette.testclient import TestClient

from keyfob.guard import Guard, protect, require

AUDIENCE = "https://api.example"
NOW = 1_000_000
METADATA = "https://api.example/.well-known/oauth-protected-resource"


@pytest.fixture
def client(issuer):
    guard = Guard.discover(issuer.url, audience=AUDIENCE, ca_file=issuer.ca, clock=lambda: NOW)

    @require(guard, "studies:read", resource_metadata=METADATA)
    async def studies(request):
        return JSONResponse({"client": request.state.access_token.client_id})

    async def raw(scope, receive, send):
        await JSONResponse({"client": scope["state"]["access_token"].client_id})(scope, receive, send)

    inner = protect(raw, guard, "audit:read", resource_metadata=METADATA)
    with TestClient(Starlette(routes=[Route("/studies", studies), Mount("/audit", inner)])) as client:
        yield client


@pytest.mark.parametrize(("path", "scope"), [("/studies", "studies:read"), ("/audit", "audit:read")])
def test_the_handler_runs_for_a_token_with_the_scope_and_for_no_other(client, issuer, path, scope):
    def get(token=None):
        return client.get(path, headers={"authorization": f"Bearer {token.reveal()}"} if token else {})

    good = get(issuer.token(scope=scope))
    assert (good.status_code, good.json()) == (200, {"client": "cl_1"})

    # RFC 6750 §3, §3.1: no error code when no token came; RFC 9728 §5.1: where to find out what is needed.
    absent = get()
    assert absent.status_code == 401
    assert absent.headers["www-authenticate"] == f'Bearer scope="{scope}", resource_metadata="{METADATA}"'
    assert absent.headers["content-type"] == "application/problem+json"
    assert absent.headers["cache-control"] == "no-store"

    expired = get(issuer.token(scope=scope, exp=NOW))
    assert expired.status_code == 401
    assert 'error="invalid_token"' in expired.headers["www-authenticate"]

    other = get(issuer.token(scope="other:read"))
    assert other.status_code == 403
    assert (
        f'error="insufficient_scope", error_description="this request needs the scope {scope}", scope="{scope}"'
        in (other.headers["www-authenticate"])
    )
    assert other.json()["scope"] == scope

    in_url = client.get(path, params={"access_token": issuer.token(scope=scope).reveal()})
    assert in_url.status_code == 400


def test_an_issuer_that_is_away_is_503_with_retry_after(client, issuer):
    issuer.answers.clear()
    answer = client.get("/studies", headers={"authorization": f"Bearer {issuer.token().reveal()}"})
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) > 0


def test_a_handler_that_cannot_be_guarded_does_not_start(issuer):
    guard = Guard.discover(issuer.url, audience=AUDIENCE, ca_file=issuer.ca)
    with pytest.raises(TypeError):

        @require(guard, "a")
        async def without_a_request(): ...

    with pytest.raises(TypeError):

        @require(guard, "a")
        def not_async(request): ...


def test_a_websocket_does_not_come_through(client):
    from starlette.websockets import WebSocketDisconnect

    with pytest.raises(WebSocketDisconnect), client.websocket_connect("/audit"):
        pass
