"""Clients that we did not write, over HTTPS, as their manuals say: each gets its token, and says clearly when not."""

import base64
import re

import pytest

from interop import matrix
from interop.matrix import AFTERWARDS, CLIENTS, RUNS, VERIFIER
from interop.redaction import redact
from keyfob import tls
from keyfob.ambient import system_clock

each_client = pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.name)


@pytest.mark.parametrize(("client", "way"), RUNS, ids=[f"{client.name}, {way.name}" for client, way in RUNS])
def test_a_client_gets_a_token_that_a_library_of_another_make_verifies(scene, client, way):
    run = scene.ask(client, way)
    assert run.status == 0, run.complaint
    asked = way.scope or matrix.DEFAULT_SCOPE
    # httpx-auth keeps all but the token to itself.
    if "scope" in run.answer:
        assert run.answer["scope"] == asked
        assert int(run.answer["expires_in"]) in range(295, 301)
    verified = scene.verify(VERIFIER[client.verified_by], run.answer["access_token"], audience=way.audience)
    assert verified.status == 0, verified.complaint
    claims = verified.answer
    assert (claims["iss"], claims["aud"]) == (scene.operator.issuer, way.audience)
    assert claims["sub"] == claims["client_id"] == scene.client.client_id
    assert claims["scope"] == asked


@pytest.mark.parametrize(("client", "way"), RUNS, ids=[f"{client.name}, {way.name}" for client, way in RUNS])
def test_a_client_asks_once_and_its_secret_goes_one_way(scene, client, way):
    ((request, status),) = scene.ask(client, way).exchanges()
    assert status == 200
    secret = scene.client.client_secret.reveal().encode()
    head, _, body = request.partition(b"\r\n\r\n")
    in_header = re.search(rb"^authorization: basic ", head, re.IGNORECASE | re.MULTILINE) is not None
    assert in_header == (way.method in ("basic", "both"))
    assert (secret in body) == (way.method == "post")
    assert head.startswith(b"POST /oauth2/token HTTP/1.")
    assert (b"resource=" in body) == bool(way.resource)
    assert (b"scope=" in body) == bool(way.scope)


@each_client
def test_a_wrong_secret_is_told_by_the_code_of_the_standard(scene, client):
    """RFC 6749 §5.2: 401 and WWW-Authenticate, which each library tells in its own way."""
    wrong = scene.client.client_secret.reveal()[:-1] + "~"
    run = scene.ask_anew(client, matrix.BASIC, secret=wrong)
    assert run.answer.get("error") == "invalid_client", run.complaint
    assert [status for _, status in run.exchanges()] == [401]


@each_client
def test_no_client_speaks_to_a_server_that_it_cannot_verify(scene, client, tmp_path):
    """So that each of the other tests has verified the server's certificate."""
    tls.create_authority(tmp_path, now=system_clock())
    run = scene.ask_anew(client, matrix.BASIC, ca=tmp_path / "ca.pem")
    assert run.status != 0
    assert re.search("certificate|SSL", run.complaint, re.IGNORECASE), run.complaint
    assert all(not connection.sent for connection in run.connections)


@pytest.mark.parametrize("client", AFTERWARDS, ids=lambda client: client.name)
def test_a_client_asks_about_its_token_and_gives_it_back(scene, client):
    """RFC 7662 §2.2, RFC 7009 §2.2: the library reads both answers, and the token is dead at once."""
    run = scene.ask_afterwards(client)
    assert run.status == 0, run.complaint
    assert run.answer == {"before": True, "after": False}


@pytest.mark.parametrize("name", ["openid-client", "oauth4webapi"])
def test_the_record_has_a_client_that_form_encodes_the_underscore(scene, name):
    """RFC 6749 appendix B, further than most take it: `%5F` in Basic is read as what it stands for."""
    (client,) = (client for client in CLIENTS if client.name == name)
    ((request, _),) = scene.ask(client, matrix.BASIC).exchanges()
    pair = base64.b64decode(re.search(rb"basic ([^\r]+)", request, re.IGNORECASE)[1])
    assert scene.client.client_id.replace("_", "%5F").encode() in pair
    assert pair.count(b"%5F") == 4


def test_a_library_that_tries_basic_and_then_the_body_has_tried_once(new_scene, monkeypatch):
    """With one failure a minute let through, a second one would be answered 429."""
    (client,) = (client for client in CLIENTS if matrix.EITHER in client.ways)
    monkeypatch.setenv("KEYFOB_LIMITS_FAILURES_PER_NETWORK_PER_MINUTE", "1")
    scene = new_scene()
    wrong = scene.client.client_secret.reveal()[:-1] + "~"
    run = scene.ask_anew(client, matrix.EITHER, secret=wrong)
    (first, status), (second, next_status) = run.exchanges()
    assert (status, next_status) == (401, 401)
    assert b"Authorization: Basic" in first
    assert b"client_secret=" in second
    # A different wrong secret is another attempt.
    other = scene.ask_anew(client, matrix.BASIC, secret=wrong + "~")
    assert [status for _, status in other.exchanges()] == [429]


def test_what_is_recorded_holds_no_credential_however_it_was_spelled():
    credentials = {"client_id": "cl_Abc", "client_secret": "kfs_x_y-z"}
    for pair in (b"cl_Abc:kfs_x_y-z", b"cl%5FAbc:kfs%5fx_y%2Dz"):
        head = b"POST / HTTP/1.1\r\nHost: localhost:4711\r\nauthorization: basic " + base64.b64encode(pair)
        shown = redact(head + b"\r\n\r\nclient_id=cl%5FAbc&client_secret=kfs_x_y-z", credentials, port=4711)
        assert "Abc" not in shown
        assert "x_y" not in shown
        assert "Host: localhost:8443" in shown
    assert "base64({client_id: _ as %5F}:{client_secret: - as %2D, _ as %5f})" in shown
    assert shown.endswith("client_id={client_id: _ as %5F}&client_secret={client_secret}")


def test_what_is_recorded_of_something_signed_is_what_a_server_compares():
    parts = ('{"alg":"ES256","kid":"k"}', '{"aud":"https://localhost:4711","iss":"cl_Abc","jti":"one"}', "sign")
    signed = ".".join(base64.urlsafe_b64encode(part.encode()).decode().rstrip("=") for part in parts)
    for before in ("client_assertion=", "DPoP: "):
        shown = redact((before + signed).encode(), {}, port=4711)
        assert shown == before + "jwt({alg: ES256, kid}.{aud: https://localhost:8443, iss, jti})"
