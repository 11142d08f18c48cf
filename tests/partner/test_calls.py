"""Sessions, adapters and the commands against a real issuer and API over HTTPS."""

import asyncio
import contextlib
import json
import os
import pty
import subprocess
import sys
import threading
from pathlib import Path

import httpx
import httpx2
import pytest
import requests

from keyfob.demo.stage import SERVER_PACKAGES
from keyfob.oauth.authorization_details import CdmsStudy
from keyfob.partner import (
    AsyncSession,
    CredentialRefused,
    ScopeNotHeld,
    Session,
    TokenDenied,
    UnknownOperation,
    Unreachable,
    UnsafeCall,
    open_authorizer,
)
from keyfob.problem import Problem

BLOCKED = f"import sys; sys.modules.update(dict.fromkeys({SERVER_PACKAGES})); "


@pytest.fixture
def ready(handoff, service):
    """A partner with its credential in the vault."""
    handoff.receive(handoff.message())
    handoff.api = f"{service.url}/api"
    return handoff


@pytest.fixture
def session(ready, service):
    with Session.open(vault=ready.vault, ca=service.ca) as session:
        yield session


def test_a_call_asks_for_the_least_scope_and_keeps_the_token(session, service):
    """RFC 6749 §3.3, RFC 6750 §2.1, RFC 9068 §6, RFC 9700 §2.3, RFC 9728 §7.2: the token is opaque to the client."""
    for _ in range(3):
        assert session.get("/v1/studies").status_code == 200
    assert [form["scope"] for form in service.asked] == ["studies:read"]
    assert service.asked[0] == {
        **service.asked[0],
        "grant_type": "client_credentials",
        "resource": f"{service.url}/api",
    }
    assert service.calls == ["Bearer token-1"] * 3


def test_paths_may_be_texts(ready, service):
    vault, ca = str(ready.vault), str(service.ca)
    with Session.open(vault=vault, ca=ca) as session:
        assert session.get("/v1/studies").status_code == 200
    assert open_authorizer(vault=vault, ca=ca).resource == ready.api
    with pytest.raises(Problem) as refused:
        AsyncSession.open(vault=vault + "/none", ca=ca)
    assert refused.value.code == "no-vault"


def test_many_threads_share_one_request_for_a_token(session, service):
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(session.get("/v1/studies"))) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answer.status_code for answer in answers] == [200] * 10
    assert len(service.asked) == 1


def test_many_tasks_share_one_request_for_a_token(ready, service):
    async def calls():
        async with AsyncSession.open(vault=ready.vault, ca=service.ca) as session:
            return await asyncio.gather(*(session.get("/v1/studies") for _ in range(10)))

    assert [answer.status_code for answer in asyncio.run(calls())] == [200] * 10
    assert len(service.asked) == 1


def test_a_refused_token_is_replaced_once(session, service):
    assert session.get("/v1/studies").status_code == 200
    first = service.studies

    def refuse_the_first(method, headers, body):
        if headers["authorization"] == "Bearer token-1":
            service.calls.append(headers["authorization"])
            return service.say(401, {}, {"www-authenticate": 'Bearer error="invalid_token"'})
        return first(method, headers, body)

    service.handle["/api/v1/studies"] = refuse_the_first
    assert session.get("/v1/studies").status_code == 200
    assert service.calls == ["Bearer token-1", "Bearer token-1", "Bearer token-2"]
    service.handle["/api/v1/studies"] = lambda *_: service.say(
        401, {}, {"www-authenticate": 'Bearer error="invalid_token"'}
    )
    assert session.get("/v1/studies").status_code == 401
    assert len(service.asked) == 3


def test_a_token_is_renewed_before_it_expires(session, service):
    service.lifetime = 1  # renewed at 0.8 of its life: soon, and never used after
    assert session.get("/v1/studies").status_code == 200
    for _ in range(2000):
        assert session.get("/v1/studies").status_code == 200
        if len(service.asked) > 1:
            break
    assert len(service.asked) > 1


def test_a_rotated_credential_is_taken_up_without_a_restart(session, service, ready, next_message):
    assert session.get("/v1/studies").status_code == 200
    ready.receive(ready.message(**next_message(2)))
    service.good = "credential2"
    service.handle["/api/v1/studies"] = lambda _m, headers, _b: (
        service.say(200, {})
        if headers["authorization"] != "Bearer token-1"
        else service.say(401, {}, {"www-authenticate": 'Bearer error="invalid_token"'})
    )
    assert session.get("/v1/studies").status_code == 200


def test_a_refused_credential_is_not_tried_again_and_again(session, service):
    service.good = "another"
    for _ in range(3):
        with pytest.raises(CredentialRefused) as refused:
            session.get("/v1/studies")
    assert refused.value.error_id == "e1"
    assert len(service.asked) == 1


def test_a_busy_issuer_is_left_alone_for_as_long_as_it_says(session, service):
    asked = []

    def busy(*_):
        asked.append(1)
        return service.say(429, {"error": "slow_down"}, {"retry-after": "60"})

    service.handle["/oauth2/token"] = busy
    for _ in range(3):
        with pytest.raises(TokenDenied):
            session.get("/v1/studies")
    assert len(asked) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost/api/v1/studies",
        "https://evil.example/v1/studies",
        "https://user:pass@localhost/api/v1/studies",
        "https://localhost:1/api/v1/studies",
        "SERVICE/other",
        "SERVICE/api/../other",
        "SERVICE/api/%2e%2e/other",
        "SERVICE/api/v1/studies?client_secret=x",
        "SERVICE/api/v1/studies?note=kfs_credential1_" + "A" * 43 + "_123456",
        "SERVICE/api/v1/studies?note=kfs%5Fcredential1%5F" + "A" * 43 + "%5F123456",
    ],
)
def test_an_unsafe_url_is_refused_before_anything_is_sent(session, service, url):
    with pytest.raises(UnsafeCall):
        session.get(url.replace("SERVICE", service.url))
    assert service.asked == service.calls == []


def test_a_redirect_is_not_followed_with_a_token(session, service):
    """RFC 9700 §4.9: a token goes to nobody but the resource that it is for."""
    elsewhere = []
    service.handle["/elsewhere"] = lambda *_: (elsewhere.append(1), service.say(200, {}))[1]
    service.handle["/api/v1/studies"] = lambda *_: (302, {"location": f"{service.url}/elsewhere"}, b"")
    assert session.get("/v1/studies").status_code == 302
    assert elsewhere == []


def test_what_is_not_held_is_not_asked_for(session, service):
    with pytest.raises(ScopeNotHeld) as refused:
        session.post("/v1/studies", json={})
    assert refused.value.missing == "studies:write"
    with pytest.raises(ScopeNotHeld):
        session.get("/v1/studies", scope="audit:read")
    with pytest.raises(UnknownOperation):
        session.get("/v1/unknown")
    assert service.asked == []
    assert session.get("/v1/unknown", scope="studies:read").status_code == 404


def test_an_api_without_a_description_needs_the_scope_named(session, service):
    del service.handle["/api/openapi.json"]
    with pytest.raises(UnknownOperation):
        session.get("/v1/studies")
    assert session.get("/v1/studies", scope="studies:read").status_code == 200


def test_details_narrow_every_token(ready, service):
    """RFC 9396 §6."""
    authorizer = open_authorizer(vault=ready.vault, ca=service.ca)
    held = authorizer.source.token(
        frozenset({"studies:read"}), resource=ready.api, details=(CdmsStudy("S.1", frozenset({"701"})),)
    )
    assert held.access_token.reveal() == "token-1"
    assert json.loads(service.asked[0]["authorization_details"])[0]["sites"] == ["701"]
    assert "token-1" not in repr(held)


def test_another_authority_or_no_server_is_told_with_what_to_do(ready, service, make_tls, tmp_path):
    """RFC 6750 §5.3: an issuer that cannot prove its name is given nothing."""
    other = make_tls(tmp_path / "other").ca
    with Session.open(vault=ready.vault, ca=other) as session, pytest.raises(Unreachable) as refused:
        session.get("/v1/studies")
    assert refused.value.code == "certificate-not-trusted"
    assert "--ca" in refused.value.hint
    with pytest.raises(Problem):
        Session.open(vault=ready.vault, ca=tmp_path / "missing.pem")


def test_a_server_that_is_not_there_is_told_with_what_to_do(handoff, free_port_of, service):
    nobody = f"https://localhost:{free_port_of()}"
    handoff.receive(handoff.message(token_endpoint=f"{nobody}/oauth2/token"))
    with Session.open(vault=handoff.vault, ca=service.ca) as session, pytest.raises(Unreachable) as refused:
        session.get("/v1/studies")
    assert refused.value.code == "unreachable"
    assert nobody.removeprefix("https://") in refused.value.message


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_the_adapter_for_httpx_and_httpx2(ready, service, library, tls_files):
    from keyfob.partner.adapters import httpx as for_httpx
    from keyfob.partner.adapters import httpx2 as for_httpx2

    adapter = for_httpx if library is httpx else for_httpx2
    auth = adapter.KeyfobAuth(open_authorizer(vault=ready.vault, ca=service.ca))
    with library.Client(auth=auth, verify=tls_files.client_context()) as client:
        assert client.get(f"{ready.api}/v1/studies").status_code == 200
        with pytest.raises(UnsafeCall):
            client.get(f"{service.url}/other")

    async def by_task():
        async with library.AsyncClient(auth=auth, verify=tls_files.client_context()) as client:
            return await client.get(f"{ready.api}/v1/studies")

    assert asyncio.run(by_task()).status_code == 200
    assert len(service.asked) == 1


def test_the_adapter_for_requests(ready, service):
    from keyfob.partner.adapters.requests import KeyfobAuth

    auth = KeyfobAuth(open_authorizer(vault=ready.vault, ca=service.ca))
    answer = requests.get(f"{ready.api}/v1/studies", auth=auth, verify=str(service.ca), timeout=30)
    assert answer.status_code == 200
    assert "Authorization" not in answer.request.headers
    first = service.studies
    service.handle["/api/v1/studies"] = lambda method, headers, body: (
        first(method, headers, body)
        if headers["authorization"] != "Bearer token-1"
        else service.say(401, {}, {"www-authenticate": 'Bearer error="invalid_token"'})
    )
    again = requests.get(f"{ready.api}/v1/studies", auth=auth, verify=str(service.ca), timeout=30)
    assert again.status_code == 200
    assert len(service.asked) == 2
    with pytest.raises(UnsafeCall):
        requests.get("http://localhost/api", auth=auth, timeout=30)


def run(ready, service, *arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("KEYFOB_")}
    return subprocess.run(
        [sys.executable, "-c", BLOCKED + "from keyfob.partner.cli import main; main()", *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        stdin=subprocess.DEVNULL,
        env={**environment, "KEYFOB_VAULT": str(ready.vault), "KEYFOB_CA_FILE": str(service.ca)},
    )


def test_the_commands_work_where_no_server_package_can_be_imported(ready, service, tmp_path):
    called = run(ready, service, "call", "GET", f"{ready.api}/v1/studies")
    assert (called.returncode, json.loads(called.stdout)) == (0, {"items": []}), called.stderr
    assert called.stderr == "HTTP 200 OK\n"
    shown = run(ready, service, "call", "GET", f"{ready.api}/v1/studies", "--json")
    assert json.loads(shown.stdout)["body"] == {"items": []}
    output = tmp_path / "out.json"
    run(ready, service, "call", "GET", f"{ready.api}/v1/studies", "--output", str(output))
    assert json.loads(output.read_text()) == {"items": []}
    token = run(ready, service, "token", "--scope", "studies:read")
    assert token.stdout.startswith("token-")
    document = json.loads(run(ready, service, "token", "--scope", "studies:read", "--json").stdout)
    assert document["token_type"] == "Bearer"
    assert 0 < document["expires_in"] <= 300


def test_a_secret_that_ends_soon_is_said_in_one_line_on_stderr(ready, service):
    service.expires_in = 10 * 24 * 3600
    called = run(ready, service, "call", "GET", f"{ready.api}/v1/studies", "--json")
    assert json.loads(called.stdout)["body"] == {"items": []}
    (line,) = [line for line in called.stderr.splitlines() if "stops working" in line]
    assert line.startswith("keyfob: the credential ") and "in 10 days: get its successor" in line
    assert "credential_expires" not in called.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (("call", "GET", "http://localhost/x"), 2, "plain-http"),
        (("call", "GET", "https://evil.example/x"), 2, "no-client"),
        (("call", "GET", "API/v1/studies", "--scope", "a  b"), 2, "bad-scope"),
        (("call", "GET", "API/v1/studies", "--scope", "audit:read"), 1, "insufficient_scope"),
        (("call", "GET", "API/v1/none", "--scope", "studies:read"), 1, "http-404"),
        (("call", "GET", "API/v1/studies", "--header", "Authorization: x"), 2, "header-of-ours"),
        (("call", "POST", "API/v1/studies", "--data", "missing.xml"), 2, "file-unreadable"),
        (("call", "GET", "API/v1/studies", "--client", "cl_9"), 2, "unknown-client"),
        (("token", "--scope", ""), 2, "bad-scope"),
    ],
)
def test_each_refusal_is_one_document_with_its_exit_code(ready, service, arguments, status, code):
    done = run(ready, service, *(argument.replace("API", ready.api) for argument in arguments), "--json")
    assert done.returncode == status, done.stdout + done.stderr
    document = json.loads(done.stdout)
    assert document["error"] == code
    # What the API answered comes along; what we refused ourselves has nothing more.
    assert set(document) == {"error", "message", "hint"} | (
        {"status", "headers", "body"} if code == "http-404" else set()
    )
    assert "Traceback" not in done.stderr


def test_a_refusal_by_the_api_names_the_scope_and_the_id(ready, service):
    challenge = {"www-authenticate": 'Bearer error="insufficient_scope", scope="audit:read"'}
    document = {"code": "insufficient_scope", "detail": "this needs more", "error_id": "e9"}
    service.handle["/api/v1/studies"] = lambda *_: service.say(403, document, challenge)
    done = run(ready, service, "call", "GET", f"{ready.api}/v1/studies")
    assert done.returncode == 1
    assert "audit:read" in done.stderr
    assert "e9" in done.stderr


def test_output_is_written_with_json_too_and_its_place_is_had_before_anything_is_sent(ready, service, tmp_path):
    output = tmp_path / "out.json"
    done = run(ready, service, "call", "GET", f"{ready.api}/v1/studies", "--output", str(output), "--json")
    document = json.loads(done.stdout)
    assert (document["status"], document["output"]) == (200, str(output))
    assert "body" not in document
    assert json.loads(output.read_text()) == {"items": []}
    asked = len(service.calls)
    for place in (tmp_path / "none" / "out", tmp_path, Path(os.devnull)):
        done = run(ready, service, "call", "GET", f"{ready.api}/v1/studies", "--output", str(place))
        assert (done.returncode, "--output" in done.stderr) == (2, True), done.stderr
    assert len(service.calls) == asked
    assert Path(os.devnull).is_char_device()


def test_a_refusal_does_not_touch_the_output(ready, service, tmp_path):
    output = tmp_path / "out.json"
    output.write_text("the last good answer")
    service.handle["/api/v1/studies"] = lambda *_: service.say(500, {"detail": "no"})
    done = run(ready, service, "call", "GET", f"{ready.api}/v1/studies", "--output", str(output))
    assert (done.returncode, json.loads(done.stdout)) == (1, {"detail": "no"})
    assert output.read_text() == "the last good answer"
    assert list(tmp_path.glob(".out*")) == []


def test_a_body_that_breaks_off_leaves_no_output(ready, service, tmp_path):
    broken = {"transfer-encoding": "chunked"}
    service.handle["/api/v1/studies"] = lambda *_: (200, broken, b"no chunk\r\n")
    done = run(ready, service, "call", "GET", f"{ready.api}/v1/studies", "--output", str(tmp_path / "out"))
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists()


def test_what_the_api_found_wrong_comes_through(ready, service):
    found = [{"code": "code-list", "pointer": "/ODM/ClinicalData", "message": "not in the list", "line": 4}]
    problem = {"code": "code-list", "detail": "nothing was stored", "errors": found, "total": 3}
    service.handle["/api/v1/studies"] = lambda *_: service.say(422, problem)
    done = run(ready, service, "call", "GET", f"{ready.api}/v1/studies", "--json")
    document = json.loads(done.stdout)
    assert (document["error"], document["status"], document["body"]) == ("code-list", 422, problem)
    assert document["hint"] == "3 items refused, first: not in the list at /ODM/ClinicalData, line 4"


def at_a_terminal(ready, service, *arguments: str) -> str:
    """What a person sees."""
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", "from keyfob.partner.cli import main; main()", *arguments],
        stdin=subprocess.DEVNULL, stdout=follower, stderr=follower,
        env={**os.environ, "KEYFOB_VAULT": str(ready.vault), "KEYFOB_CA_FILE": str(service.ca)},
    )  # fmt: skip
    os.close(follower)
    seen = b""
    with contextlib.suppress(OSError):  # Linux says EIO when the last writer is gone
        while chunk := os.read(leader, 4096):
            seen += chunk
    os.close(leader)
    process.wait(60)
    return seen.decode().replace("\r\n", "\n")


def test_at_a_terminal_the_body_ends_its_line_and_nothing_is_said_twice(ready, service):
    assert at_a_terminal(ready, service, "call", "GET", f"{ready.api}/v1/studies") == 'HTTP 200 OK\n{"items": []}\n'
    service.handle["/api/v1/studies"] = lambda *_: service.say(404, {"code": "not-found", "detail": "not here"})
    seen = at_a_terminal(ready, service, "call", "GET", f"{ready.api}/v1/studies")
    assert seen.count("not here") == seen.count("404") == 1
    errors = {"detail": "nothing was stored", "errors": [{"code": "a"}, {"code": "b"}]}
    service.handle["/api/v1/studies"] = lambda *_: service.say(422, errors)
    assert '"b"' in at_a_terminal(ready, service, "call", "GET", f"{ready.api}/v1/studies")


def test_an_answer_that_is_given_again_says_so(ready, service):
    service.handle["/api/v1/studies"] = lambda *_: service.say(200, {}, {"idempotent-replay": "true"})
    assert "a repeat" in run(ready, service, "call", "GET", f"{ready.api}/v1/studies").stderr
    document = json.loads(run(ready, service, "call", "GET", f"{ready.api}/v1/studies", "--json").stdout)
    assert document["headers"]["idempotent-replay"] == "true"


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("studies:raed", "did you mean studies:read?"),
        ("studies:read,subjects:read", "separated by spaces"),
        ("audit:read", "this client holds: studies:read subjects:read"),
    ],
)
def test_a_scope_that_is_not_held_is_told_with_what_is(ready, service, scope, words):
    done = run(ready, service, "call", "GET", f"{ready.api}/v1/studies", "--scope", scope)
    assert words in done.stderr
    assert f"register the scope {scope}" not in done.stderr
    assert ("did you mean" in done.stderr) == ("did you mean" in words)


def test_a_damaged_entry_is_left_out_aloud(ready, service, next_message):
    first = ready.stored()[0]
    ready.receive(ready.message(**next_message(2)))
    service.good = "credential2"
    first.write_text("{")
    done = run(ready, service, "call", "GET", f"{ready.api}/v1/studies")
    assert done.returncode == 0, done.stderr
    assert f"{first} is damaged and left out" in done.stderr


def test_a_media_type_that_is_not_taken_is_told_with_what_to_write(ready, service):
    service.handle["/api/v1/studies"] = lambda *_: service.say(415, {"detail": "no media type"})
    said = run(ready, service, "call", "GET", f"{ready.api}/v1/studies").stderr
    assert "--data FILE" in said and "--header 'Content-Type: ...'" in said
