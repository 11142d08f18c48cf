"""The page of the documents says what is seen, and no secret."""

import re

from interop import page
from interop.matrix import KEYED_RUNS, RUNS, VERIFIERS
from interop.redaction import redact
from keyfob import client_secret


def test_the_page_says_what_was_seen(scene, request):
    versions = {client.name: scene.ask(client, way).version for client, way in RUNS}
    token = str(scene.operator.token(scene.client).document["access_token"])
    verified = {verifier.name: scene.verify(verifier, token) for verifier in VERIFIERS}
    versions |= {name: run.version for name, run in verified.items()}
    versions |= {client.name: scene.ask_keyed(client, way).version for client, way in KEYED_RUNS}
    fetched = {name: run.found_at() for name, run in verified.items()}
    assert scene.client.client_secret is not None
    credentials = {"client_id": scene.client.client_id, "client_secret": scene.client.client_secret.reveal()}
    requests = {}
    for client, way in RUNS:
        ((sent, _),) = scene.ask(client, way).exchanges()
        requests[client.name, way.name] = redact(sent, credentials, port=scene.operator.port)
    for client, way in KEYED_RUNS:
        registered, run = scene.registered(way), scene.ask_keyed(client, way)
        credentials = {"client_id": registered.client_id, "access_token": str(run.answer["access_token"])}
        if not way.algorithm:
            credentials["client_secret"] = registered.secret
        sent = run.exchanges()[0][0]
        requests[client.name, way.name] = redact(sent, credentials, port=scene.operator.port)
        if way.bound:
            called = run.called(way.call)[0][0]
            api = int(scene.api.url.rpartition(":")[2])
            requests[client.name, f"{way.name}, at the API"] = redact(called, credentials, port=api, usual_port=9543)
    seen = page.write(versions, fetched, requests)
    if request.config.getoption("--record"):
        page.PATH.write_text(seen, encoding="utf-8")
    said = page.PATH.read_text(encoding="utf-8")
    assert page.comparable(said) == page.comparable(seen), "make interop RECORD=1 writes the page anew"


def test_the_page_holds_no_credential_of_any_client():
    said = page.PATH.read_text(encoding="utf-8")
    assert not re.search(client_secret.PATTERN + r"|\bcl_[0-9A-Za-z]{22}\b|\beyJ", said)


def test_only_versions_and_the_http_librarys_own_headers_may_differ():
    one, other = "| curl | 7.88.1 | POST / HTTP/1.1 agent/2.0", "| curl | 8.14.1-2+deb13u1 | POST / HTTP/1.1 agent/3.10"
    assert page.comparable(one) == page.comparable(other)
    assert page.comparable(one) != page.comparable(one.replace("HTTP/1.1", "HTTP/1.0"))
