"""Who may do what, of all that is served: and a check that somebody takes away is missed."""

import dataclasses

import pytest

from cdms.matrix import HERE, STUDY, Matrix
from keyfob.cdms import app
from keyfob.cdms.handlers import studies
from keyfob.cdms.router import Router
from keyfob.cdms.routes import ROUTES, Route
from nursery import nursery

LOST = ("scope", "study", "sites", "subject", "whole", "table")


@pytest.fixture(scope="module")
def given(new_api, demo_study, tmp_path_factory):
    """An API with a subject at each of two sites; it serves nothing yet."""
    made = new_api()
    folder = tmp_path_factory.mktemp("demo")
    for name in ("design", "data"):
        (folder / f"{name}.xml").write_bytes(demo_study(name))
        made.run("load", folder / f"{name}.xml")
    return made


def prepared(api, design):
    """One diary at each site, and no more subjects than that."""
    for site in (HERE, "702"):
        (subject, *_) = api.get(f"/v1/studies/{STUDY}/subjects?site={site}").document["items"]
        path = f"/v1/studies/{STUDY}/subjects/{subject['subject_id']}/events/SE.VISIT/forms/F.DIARY"
        pain = {"items": [{"oid": "I.PAIN", "value": "3"}]}
        status = api.request("PUT", f"{path}/item-groups/IG.DIARY?erk=1", pain, {"if-none-match": "*"}).status
        assert status in (201, 412)
    return Matrix(api, design)


@pytest.fixture(scope="module")
def start(given):
    """Starts a process of that home, with one of its checks taken away."""
    with nursery("cdms.mutants", "keyfob.cdms.app", log=given.home.parent / "cdms.log") as servers:
        yield lambda lost: servers.start(lost, "serve", "--home", given.home, ready=given.resource)


def test_each_route_opens_to_its_scope_in_the_granted_study_and_site_and_to_nothing_else(given, demo_study, start):
    """RFC 6750 §3.1: 403 that names the scope. What is not granted is as absent as what there is not."""
    server = start("none")
    matrix = prepared(given, demo_study("design"))
    head = given.run("audit", "verify", STUDY)["head"]
    matrix.check()
    assert given.run("audit", "verify", STUDY)["head"] == head, "a probe has changed something"
    matrix.close()
    server.send_signal(15)
    server.wait()


@pytest.mark.on("sqlite")
def test_a_check_that_is_taken_away_is_found(given, demo_study, start):
    for lost in LOST:
        server = start(lost)
        matrix = prepared(given, demo_study("design"))
        with pytest.raises(AssertionError):
            matrix.check(others=["studies:read"])
        matrix.close()
        server.send_signal(9)
        server.wait()


def test_a_route_behind_the_tables_back_stops_the_start():
    app.check_routes(Router(ROUTES))
    extra = Route("GET", "/v1/everything", "studies:read", studies.list_studies, "All")
    with pytest.raises(AssertionError):
        app.check_routes(Router((*ROUTES, extra)))
    with pytest.raises(AssertionError):
        app.check_routes(Router(ROUTES[:-1]))
    opened = dataclasses.replace(ROUTES[-1], scope=None)
    with pytest.raises(AssertionError):
        app.check_routes(Router((*ROUTES[:-1], opened)))
    with pytest.raises(AssertionError):
        Router((*ROUTES, extra, extra))
