"""Granted and used, from real calls at a real API: told, shown, narrowed, undone."""

import asyncio
import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from keyfob.guard import Guard
from keyfob.oauth import usage_report
from keyfob.oauth.client_authentication import write_basic
from keyfob.oauth.errors import InvalidToken
from keyfob.oauth.usage_report import Report, Use

from .test_private_key_jwt import Signer

RESOURCE = "https://api.example"
OTHER = "https://other.example"
ENTRY = "from keyfob.server.cli import main; main()"


@pytest.fixture(scope="module")
def operator(new_operator):
    operator = new_operator()
    operator.serve()
    return operator


def told(operator, report: Report) -> int:
    return operator.post("/usage", usage_report.write(report)).status


def report(*uses: Use, sequence: int = 1, reporter: str | None = None, ago: int = 0) -> Report:
    now = int(time.time())
    return Report(reporter or os.urandom(16).hex(), sequence, now - ago, now, uses)


def use(info, scope: str, count: int = 1, **changes: object) -> Use:
    chosen = {"method": "GET", "route": "/v1/studies", "last_used": int(time.time()), **changes}
    return Use(info.client_id, scope, count=count, **chosen)


def basic(info) -> dict[str, str]:
    return {"authorization": write_basic(info.client_id, info.client_secret).reveal()}


def scopes(document) -> dict[str, str]:
    return {one["scope"]: one["verdict"] for one in document["scopes"] if one["resource"] == RESOURCE}


@contextlib.contextmanager
def calling(operator, info, scope: str) -> Iterator[None]:
    """A real API that is called all the time, in the background; its guard tells at once."""
    guard = Guard.discover(
        operator.issuer,
        audience=RESOURCE,
        ca_file=operator.home / "tls" / "ca.pem",
        resource_key=operator.resource_key,
    )
    token = operator.token(info, scope=scope).document["access_token"]
    headers = [(b"authorization", b"Bearer " + token.encode())]
    ending = threading.Event()

    async def call() -> None:
        with contextlib.suppress(InvalidToken):  # when the client is narrowed, this token ends
            while not ending.is_set():
                await guard.admit(headers, b"", scope, method="GET", path=b"/v1/studies", route="/v1/studies")
                await guard.flush()
                await asyncio.sleep(0.1)

    with ThreadPoolExecutor(1) as thread:
        running = thread.submit(asyncio.run, call())
        try:
            yield
        finally:
            ending.set()
            running.result()


def test_what_real_calls_did_not_use_is_shown_taken_away_and_given_back(operator, until):
    info = operator.client("granted-and-used")
    shown = ("client", "usage", info.client_id, "--unused-for", "8s")
    assert set(scopes(operator.run(*shown)).values()) == {"unknown"}
    with calling(operator, info, "studies:read"):
        until(lambda: "unknown" not in scopes(operator.run(*shown)).values(), 120)
        document = operator.run(*shown)
        assert scopes(document) == {"studies:read": "used", "subjects:read": "unused", "subjects:write": "unused"}
        used = next(one for one in document["scopes"] if one["scope"] == "studies:read")
        assert used["routes"] == [{"method": "GET", "route": "/v1/studies", "count": used["count"]}]
        assert used["count"] > 1 and document["windows"][0]["unseen_seconds"] == 0
        assert any("before it was killed" in one for one in document["blind_spots"])

        narrow = ("client", "narrow", info.client_id, "--unused-for", "8s")
        planned = operator.run(*narrow, "--dry-run")
        assert planned["after"] == [{"resource": RESOURCE, "scope": "studies:read"}]
        assert len(scopes(operator.run(*shown))) == 3
        assert operator.run(*narrow, "--reason", "least privilege")["after"] == planned["after"]
    assert operator.token(info, scope="subjects:read").document["error"] == "invalid_scope"
    assert operator.token(info, scope="studies:read").status == 200
    recorded = operator.audit(20)
    assert "client_changed" in {one["kind"] for one in recorded}
    assert operator.run("client", "usage", info.client_id)["narrowed_at"] is not None

    back = operator.run("client", "narrow", info.client_id, "--undo")
    assert back["after"] == [{"resource": RESOURCE, "scope": "studies:read subjects:read subjects:write"}]
    assert operator.token(info, scope="subjects:write").status == 200
    assert operator.run("client", "narrow", info.client_id, "--undo", status=2)["error"] == "not-narrowed"


def test_a_report_is_counted_once_and_never_for_another_api(operator):
    info = operator.client("counted", scope="studies:read")
    first = report(use(info, "studies:read", 5))
    assert [told(operator, first) for _ in range(3)] == [204] * 3
    again = Report(first.reporter, 2, first.began_at, first.until, (use(info, "studies:read", 2),))
    assert told(operator, again) == 204
    held = operator.run("client", "usage", info.client_id)["scopes"][0]
    assert held["count"] == 7
    # Another API speaks of itself alone, whatever it says of this client.
    form = usage_report.write(report(use(info, "studies:read", 100))) | operator.assertion(OTHER)
    assert operator.form("/usage", form).status == 204
    assert operator.run("client", "usage", info.client_id)["scopes"][0]["count"] == 7
    # Of a client that nobody knows, nothing is kept; of a time to come, neither.
    future = use(info, "studies:read", 1, last_used=2**50)
    assert told(operator, report(Use("cl_unknown", "studies:read", "GET", "/", 1, 1), future)) == 204
    held = operator.run("client", "usage", info.client_id)["scopes"][0]
    assert held["count"] == 8 and held["last_used_at"] <= time.time()


def test_a_client_with_a_key_sees_it_by_an_assertion(operator):
    """RFC 7523 §2.2: as at the token endpoint."""
    signer = Signer(operator, "sees-by-key")
    answer = operator.form("/partner/v1/scopes", signer.assertion())
    assert answer.status == 200
    assert {one["scope"] for one in answer.document["scopes"]} == {"studies:read", "subjects:read"}
    other = Signer(operator, "sees-nothing")
    assert operator.form("/partner/v1/scopes", signer.assertion(key=other.key)).status == 401


def test_a_client_sees_what_it_holds_and_whether_it_was_used(operator):
    info = operator.client("sees-itself", scope="studies:read subjects:read")
    assert told(operator, report(use(info, "studies:read", 5))) == 204
    answer = operator.request("GET", "/partner/v1/scopes", headers=basic(info))
    assert (answer.status, answer.document["unused_for"]) == (200, 90 * 24 * 3600)
    assert scopes(answer.document) == {"studies:read": "used", "subjects:read": "unknown"}
    used, unsure = answer.document["scopes"]
    assert used["last_used_at"] and not unsure["last_used_at"] and "for so long" in unsure["why"]
    assert not {"routes", "count"} & used.keys()
    # It is no use of the secret, and nobody else's business.
    assert operator.run("client", "show", info.client_id)["credentials"][0]["first_used_at"] is None
    other = operator.client("another", scope="studies:read")
    forged = {"authorization": write_basic(info.client_id, other.client_secret).reveal()}
    assert operator.request("GET", "/partner/v1/scopes", headers=forged).status == 401
    assert operator.request("GET", "/partner/v1/scopes").status == 401
    assert operator.request("GET", f"/partner/v1/scopes?client_id={other.client_id}", headers=basic(info)).status == 400


def test_nobody_but_a_registered_api_is_heard(operator):
    info = operator.client("unheard", scope="studies:read")
    form = usage_report.write(report(use(info, "studies:read")))
    assert operator.form("/usage", form).status == 401
    assert operator.post("/usage", form, client=info).status == 401
    assert operator.post("/usage", {"report": "{}"}).status == 400
    assert operator.run("client", "usage", info.client_id)["scopes"][0]["count"] == 0


def test_a_route_that_grows_without_end_is_counted_without_its_name(operator):
    info = operator.client("routes", scope="studies:read")
    for part in range(4):
        uses = [use(info, "studies:read", route=f"/v1/{part}/{number}") for number in range(200)]
        assert told(operator, report(*uses)) == 204
    held = operator.run("client", "usage", info.client_id)["scopes"][0]
    assert held["count"] == 800 and len(held["routes"]) == 501
    assert held["routes"][0] == {"method": "GET", "route": "-", "count": 300}


def test_what_is_not_known_stays_and_says_why(operator):
    info = operator.client("unknown", scope="studies:read subjects:read")
    refused = operator.run("client", "narrow", info.client_id, "--unused-for", "1d", status=1)
    assert refused["error"] == "nothing-unused"
    assert told(operator, report(use(info, "studies:read"), ago=3600)) == 204
    document = operator.run("client", "usage", info.client_id, "--unused-for", "30m")
    assert scopes(document) == {"studies:read": "used", "subjects:read": "unknown"}
    assert document["scopes"][1]["why"] == "the client has not held it for so long"
    document = operator.run("client", "usage", info.client_id, "--unused-for", "2d")
    assert document["scopes"][1]["why"] == "this API has not told of its use for so long"
    operator.run("client", "usage", info.client_id, "--unused-for", "soon", status=2)


def test_what_was_changed_since_is_not_undone(operator, until):
    info = operator.client("changed-since", scope="studies:read subjects:read")

    def narrowed() -> bool:
        assert told(operator, report(use(info, "studies:read"), ago=3600)) == 204
        command = ("client", "narrow", info.client_id, "--unused-for", "2s", "--home", operator.home)
        return subprocess.run([sys.executable, "-c", ENTRY, *map(str, command)], capture_output=True).returncode == 0

    until(narrowed, 60)
    operator.run("client", "change", info.client_id, "--scope", "subjects:write")
    assert operator.run("client", "narrow", info.client_id, "--undo", status=1)["error"] == "client-changed"
