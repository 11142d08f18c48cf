"""Every route against every scope, on real sockets: deny by default, and one answer for what is not granted."""

import re

import pytest

from keyfob.cdms import app
from keyfob.cdms.router import Router
from keyfob.cdms.routes import ROUTES, SCOPES

STUDY = "/v1/studies/KF.DEMO"
GUARDED = [route for route in ROUTES if route.scope is not None]


def path_of(template: str) -> str:
    known = {"study": "KF.DEMO", "site": "701", "version": "MDV.1", "dataset": "IG.LB"}
    return re.sub(r"\{(\w+)\}", lambda found: known.get(found.group(1), "x"), template)


@pytest.fixture
def shared(shared_api):
    return shared_api


@pytest.mark.parametrize("route", GUARDED, ids=lambda route: f"{route.method} {route.template}")
def test_a_route_opens_for_its_scope_and_for_no_other(shared, route):
    """RFC 6750 §3.1: 403 naming the scope; every other scope together is not enough."""
    path = path_of(route.template)
    others = " ".join(scope for scope in SCOPES if scope not in {route.scope, *route.other_scopes})
    refused = shared.request(route.method, path, token=shared.token(others))
    assert refused.status == 403
    assert f'scope="{route.scope}"' in refused.headers["www-authenticate"]
    assert "resource_metadata=" in refused.headers["www-authenticate"]
    for scope in (route.scope, *route.other_scopes):
        admitted = shared.request(route.method, path, token=shared.token(scope))
        assert admitted.status not in (401, 403), admitted.body
    anonymous = shared.request(route.method, path, anonymous=True)
    assert anonymous.status == 401
    assert "error=" not in anonymous.headers["www-authenticate"]
    assert f'scope="{route.scope}"' in anonymous.headers["www-authenticate"]


def test_the_scopes_the_routes_and_the_descriptions_are_one(shared):
    """RFC 9728 §2, §3.2, §6: the resource by its own name, byte for byte."""
    app.check_routes(Router(ROUTES))
    metadata = shared.get("/.well-known/oauth-protected-resource", anonymous=True).document
    assert metadata["resource"] == shared.resource
    assert metadata["scopes_supported"] == sorted(SCOPES)
    openapi = shared.get("/openapi.json", anonymous=True).document
    described = {
        (method.upper(), template): operation["security"]
        for template, item in openapi["paths"].items()
        for method, operation in item.items()
    }
    assert described == {
        (route.method, route.template): [
            {"oauth2": [scope]} for scope in (route.scope, *sorted(route.other_scopes)) if scope
        ]
        for route in ROUTES
    }
    assert openapi["components"]["securitySchemes"]["oauth2"]["flows"]["clientCredentials"]["scopes"] == SCOPES


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/studies/a%2Fb", 400),
        ("/v1/studies/a%5Cb", 400),
        ("/v1/studies/KF.DEMO/subjects%2Flookup", 400),
        ("/v1/studies/%ff", 400),
        ("/v1/studies/%00", 400),
        ("/v1/studies/..", 400),
        ("/v1/studies/%2e%2e/x", 400),
        ("/v1/studies/", 404),
        ("/v1//studies", 404),
        ("/V1/studies", 404),
        ("/v1/studies/KF.DEMO?x=1", 400),
        ("/v1/studies/KF.DEMO/changes?after=0&after=1", 400),
        ("/v1/studies/KF.DEMO/changes?after=-1", 400),
        ("/v1/studies/KF.DEMO/changes?after=99999", 400),
        ("/v1/studies/KF.DEMO/changes?limit=0", 400),
        ("/v1/studies/KF.DEMO/changes?limit=1001", 400),
        ("/v1/studies/KF.DEMO/subjects?cursor=abc", 400),
    ],
)
def test_a_path_or_query_that_two_readers_could_read_differently_is_refused(shared, path, status):
    answer = shared.get(path)
    assert answer.status == status
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.document["error_id"] == answer.headers["keyfob-request-id"]


def test_another_method_is_told_what_is_allowed(shared):
    answer = shared.request("DELETE", STUDY)
    assert (answer.status, answer.headers["allow"]) == (405, "GET, HEAD")
    assert shared.request("HEAD", "/healthz", anonymous=True).status == 200


def test_a_token_in_the_url_is_refused(shared):
    answer = shared.get(f"/v1/studies?access_token={shared.token()}")
    assert answer.status == 400
    assert "access_token" not in shared.log


def test_a_body_of_a_hundred_megabytes_is_refused_before_it_is_sent(shared):
    answer = shared.post_odm("KF.DEMO", b"", headers={"content-length": "100000000"})
    assert answer.status == 413
