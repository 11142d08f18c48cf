"""Which scopes a request needs: read from a file that a person wrote, and never wider than it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.guard import route_table
from keyfob.guard.route_table import UnknownRoute
from keyfob.oauth.errors import InvalidRequest, OAuthError
from keyfob.problem import Misuse

RESOURCE = "https://api.example"
TABLE = {
    "GET /orders": "orders:read",
    "GET /orders/{order}": ["orders:read", "orders:admin audit:read"],
    "GET /orders/latest": "orders:latest",
    "POST /orders": "orders:write orders:read",
    "GET /health": None,
}


def read(document: object):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return route_table.read(body, resource=RESOURCE, source="routes.json")


def needed(table, method: str, path: str) -> set[str | None]:
    found = table.find(method, path.encode()).alternatives
    return {None if one is None else " ".join(sorted(one)) for one in found}


def test_a_route_needs_what_its_line_says():
    table = read(TABLE)
    assert needed(table, "GET", "/orders") == {"orders:read"}
    assert needed(table, "HEAD", "/orders") == {"orders:read"}
    assert needed(table, "GET", "/orders/7") == {"orders:read", "audit:read orders:admin"}
    assert needed(table, "GET", "/orders/latest") == {"orders:latest"}
    assert needed(table, "GET", "/orders/lates%74") == {"orders:latest"}
    assert needed(table, "POST", "/orders") == {"orders:read orders:write"}
    assert needed(table, "GET", "/health") == {None}


def test_an_openapi_document_says_the_same():
    scheme = {"oauth2": {"type": "oauth2", "flows": {}}}
    document = {
        "openapi": "3.1.0",
        "components": {"securitySchemes": scheme},
        "security": [{"oauth2": ["orders:read"]}],
        "paths": {
            "/orders": {"get": {}, "post": {"security": [{"oauth2": ["orders:read", "orders:write"]}]}},
            "/health": {"get": {"security": []}},
        },
    }
    table = read(document)
    assert needed(table, "GET", "/orders") == {"orders:read"}
    assert needed(table, "POST", "/orders") == {"orders:read orders:write"}
    assert needed(table, "GET", "/health") == {None}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("DELETE", "/orders"),
        ("GET", "/"),
        ("GET", "/admin"),
        ("GET", "/orders/7/8"),
        ("GET", "/orders/"),
        ("get", "/x"),
    ],
)
def test_what_the_table_does_not_name_is_refused(method, path):
    with pytest.raises(UnknownRoute):
        read(TABLE).find(method, path.encode())


@pytest.mark.parametrize(
    "path",
    ["/orders%2F7", "/orders%5c7", "/orders/..", "/orders/%2e%2E/health", "/./orders", "//orders", "/orders;x=1",
     "/orders/7%3bx", "/orders/%252F", "/orders\\7", "/orders/%00", "/orders/é", "/orders/7#x", "/orders/ 7",
     "/health/..;/orders"],
)  # fmt: skip
def test_a_path_that_can_be_read_as_two_things_is_refused(path):
    with pytest.raises(InvalidRequest):
        read(TABLE).find("GET", path.encode())


@pytest.mark.parametrize("path", ["/orders/a.b", "/orders/a..b", "/orders/...", "/orders/%2e%2e%2e", "/orders/a%20b:@"])
def test_dots_and_escapes_that_mean_one_thing_come_through(path):
    assert needed(read(TABLE), "GET", path) == {"orders:read", "audit:read orders:admin"}


@given(path=st.text(alphabet="/.%2eEfF5cC;ohealt\\", max_size=24))
def test_no_spelling_of_another_path_is_taken_for_the_public_one(path):
    """Whatever a later reader makes of it: only the plain path needs no token."""
    table = read({"GET /health": None, "GET /{other}": "orders:read"})
    try:
        found = table.find("GET", ("/" + path).encode())
    except OAuthError:
        return
    assert (None in found.alternatives) is (path.replace("%65", "e") in ("health",))


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (b"", "not JSON"),
        (b"[]", "no JSON object"),
        (b'{"GET /a": "x", "GET /a": "y"}', "repeated"),
        ({}, "no route"),
        ({"openapi": "2.0"}, "OpenAPI 3"),
        ({"GET orders": "x"}, "METHOD /path"),
        ({"FETCH /orders": "x"}, "METHOD /path"),
        ({"GET /orders": 7}, "needs scopes"),
        ({"GET /orders": ""}, "needs scopes"),
        ({"GET /orders": "a  b"}, "needs scopes"),
        ({"GET /orders": []}, "takes no access token"),
        ({"GET /a/{x}": "r", "GET /a/{y}": None}, "same route"),
        ("é".encode("utf-16"), "UTF-8"),
    ],
)
def test_a_table_that_is_not_one_is_refused_in_words(document, words):
    with pytest.raises(Misuse) as refused:
        read(document)
    assert "routes.json" in refused.value.message and words in refused.value.message
    assert refused.value.hint
