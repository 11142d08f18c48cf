"""What leaked, presented by whoever found it, stops working; and the answer tells nobody anything."""

import contextlib
import dataclasses
import json
import os
import secrets
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote, urlsplit

import pytest

from keyfob import client_secret
from keyfob.ambient import system_clock, system_entropy
from keyfob.jose import keys
from keyfob.jose.assertions import sign_assertion
from keyfob.oauth import client_authentication
from keyfob.openpgp import keys as openpgp_keys
from keyfob.secret import Secret
from keyfob.server import installation
from keyfob.server.lifecycle.leaks import Outcome, Report
from keyfob.server.self_service import SelfService

pytestmark = pytest.mark.on("sqlite", "postgresql")
DAY = 24 * 3600


@pytest.fixture(scope="module")
def operator(new_operator):
    made = new_operator()
    made.serve()
    yield made
    made.stop()


def report(operator, document, content_type="application/json"):
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    return operator.request("POST", "/leaks", body, {"content-type": content_type})


def told(answer):
    return answer.status, answer.body, {name for name in answer.headers if name != "date"}


def recipients(operator, kind="secret_leaked"):
    listed = operator.run("notice", "list")["notices"]
    return {one["recipient"] for one in listed if one["kind"] == kind}


def reported(operator):
    return [one for one in operator.audit() if one["kind"] == "leak_reported"]


def test_a_secret_that_is_presented_ends_with_its_tokens_and_no_other_does(operator, until):
    info, other = operator.client("leaks"), operator.client("stays")
    token = operator.token(info, scope="studies:read").document["access_token"]
    secret = info.client_secret.reveal()
    answer = report(
        operator, {"secret": secret, "url": f"https://ann:pw@git.example/x/%6b{secret[1:]}?token={secret}#{secret}"}
    )
    assert (answer.status, answer.document) == (202, {"status": "received"})
    assert operator.token(info, scope="studies:read").document["error"] == "invalid_client"
    assert operator.introspect(token) == {"active": False}
    assert operator.token(other, scope="studies:read").status == 200
    (record,) = [one for one in reported(operator) if one["client_id"] == info.client_id]
    assert (record["actor"], record["outcome"], record["was"]) == ("finder", "last withdrawn", "active")
    assert record["what"] == "client secret"
    assert record["where"] == "git.example/x/(secret)"
    subjects = {entry["sub"] if "sub" in entry else json.dumps(entry) for entry in operator.feed()["revocations"]}
    assert any(record["credential_id"] in one for one in subjects)
    assert "kind=last_secret_reported" in operator.log
    until(lambda: recipients(operator) == {"partner", "operator"})
    assert secret not in operator.log


def test_a_client_with_another_secret_goes_on(operator):
    info = operator.client("has-two")
    out = operator.home.parent / "second.asc"
    operator.run("client", "rotate", info.client_id, "--out", out)
    second = operator.open(out)
    assert operator.token(second, scope="studies:read").status == 200
    assert report(operator, [{"token": info.client_secret.reveal(), "type": "keyfob", "url": ""}]).status == 202
    assert operator.token(info, scope="studies:read").status == 401
    assert operator.token(second, scope="studies:read").status == 200
    assert reported(operator)[-1]["outcome"] == "withdrawn"


def test_who_guesses_learns_nothing_and_changes_nothing(operator):
    """A wrong one with a live id, an unknown id, one that ended, rubbish: the same bytes as for one that lived."""
    info, ended = operator.client("guessed"), operator.client("ended")
    live = told(report(operator, {"secret": ended.client_secret.reveal()}))
    named = client_secret.credential_id(info.client_secret)
    for guess in (
        client_secret.make(named, b"g" * 32).reveal(),
        client_secret.make("unknown0", b"g" * 32).reveal(),
        ended.client_secret.reveal(),
        info.client_secret.reveal()[:-1],
        "x",
        "\u00e4",
    ):
        assert told(report(operator, {"secret": guess})) == live
    assert operator.token(info, scope="studies:read").status == 200
    of_ended = [one["outcome"] for one in reported(operator) if one["client_id"] == ended.client_id]
    assert of_ended == ["last withdrawn"], "who holds an old secret cannot fill the audit"


def test_of_two_reports_at_once_one_withdraws(operator):
    info = operator.client("found-twice")
    body = {"secret": info.client_secret.reveal()}
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: report(operator, body).status, range(8)))
    assert set(answers) == {202}
    outcomes = sorted(one["outcome"] for one in reported(operator) if one["client_id"] == info.client_id)
    assert outcomes == ["last withdrawn"]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/oauth2/token"), ("GET", "/oauth2/token"), ("POST", "/leaks"), ("GET", "/nothing")]
)
def test_a_secret_in_a_url_is_as_good_as_leaked(operator, method, path):
    """Whatever the request was for; the answer is the one of a secret that is nobody's."""
    info = operator.client(f"in-a-url-{method}-{path.rpartition('/')[2]}")
    wrong = client_secret.make(info.credential_id, b"w" * 32)
    bodies = []
    for shown in (wrong, info.client_secret):
        url = f"{path}?grant_type=client_credentials&client_secret={quote(shown.reveal(), safe='').replace('_', '%5F')}"
        answer = operator.request(method, url, b"", {"content-type": "application/json"})
        bodies.append((answer.status, answer.body.replace(answer.headers["keyfob-request-id"].encode(), b"ID")))
        if shown is wrong:
            assert operator.token(info, scope="studies:read").status == 200
    assert bodies[0] == bodies[1] and bodies[0][0] in (400, 404, 405)
    assert operator.token(info, scope="studies:read").status == 401
    (record,) = [one for one in reported(operator) if one["client_id"] == info.client_id]
    known = operator.issuer + (path if path != "/nothing" else " (an unknown path)")
    assert (record["actor"], record["where"]) == ("server", f"the URL of a request to {known}")
    assert info.client_secret.reveal() not in operator.log


def test_an_initial_access_token_registers_nobody_any_more(operator, until):
    allowed = operator.allow("--uses", "2")
    token = allowed["initial_access_token"]
    assert operator.register(token, {}).status == 400, "it is good"
    assert report(operator, {"secret": token}).status == 202
    assert operator.register(token, {}).status == 401
    (record,) = [one for one in reported(operator) if one["what"] == "initial access token"]
    assert record["allowance_id"] == allowed["allowance"] and token not in json.dumps(record)
    until(lambda: recipients(operator, "initial_token_leaked") == {"partner", "operator"})


def test_a_registration_token_ends_with_its_chain_and_the_client_goes_on(operator, until):
    key = keys.generate("ES256")
    asked = {
        "client_name": "registered",
        "token_endpoint_auth_method": "private_key_jwt",
        "jwks": {"keys": [key.public_jwk()]},
    }
    made = operator.register(operator.allow()["initial_access_token"], asked).document
    url, first = made["registration_client_uri"], made["registration_access_token"]
    following = operator.manage("GET", url, first).document["registration_access_token"]
    assert report(operator, {"secret": following}).status == 202
    for token in (following, first):
        assert operator.manage("GET", url, token).status == 401
    asserted = sign_assertion(made["client_id"], key, audience=operator.issuer, now=system_clock(), jti="1")
    form = {"grant_type": "client_credentials", "scope": "studies:read"}
    assert operator.form("/oauth2/token", form | client_authentication.write_assertion(asserted)).status == 200
    until(lambda: recipients(operator, "registration_token_leaked") == {"partner", "operator"})


def test_an_access_token_is_withdrawn_alone(operator, until):
    info = operator.client("logs-tokens")
    leaked, other = (operator.token(info, scope="studies:read").document["access_token"] for _ in range(2))
    forged = leaked[:-8] + "AAAAAAAA"
    assert told(report(operator, {"token": forged})) == told(report(operator, {"token": leaked}))
    assert operator.introspect(leaked) == {"active": False}
    assert operator.introspect(other)["active"] is True
    assert operator.token(info, scope="studies:read").status == 200
    (record,) = [one for one in reported(operator) if one["what"] == "access token"]
    assert (record["client_id"], record["resource"]) == (info.client_id, "https://api.example")
    until(lambda: recipients(operator, "access_token_leaked") == {"partner", "operator"})
    assert report(operator, {"token": leaked}).status == 202
    assert len([one for one in reported(operator) if one["what"] == "access token"]) == 1


def test_an_operators_key_opens_nothing_any_more(operator, until):
    """A token of his ends alone; with the key all of them do. Another's key changes nothing."""
    pem = (operator.home / "operator-key.pem").read_text()
    signer = keys.load(Secret(pem))

    def ask():
        now, jti = system_clock(), secrets.token_hex(16)
        asserted = sign_assertion(f"op_{signer.kid}", signer, audience=operator.issuer, now=now, jti=jti)
        form = {"grant_type": "client_credentials", "scope": "admin:read", "resource": f"{operator.issuer}/admin"}
        return operator.form("/oauth2/token", form | client_authentication.write_assertion(asserted))

    bearer = {"authorization": f"Bearer {ask().document['access_token']}"}
    assert operator.request("GET", "/admin/v1/partners", headers=bearer).status == 200
    token = bearer["authorization"].removeprefix("Bearer ")
    assert report(operator, {"secret": token}).status == 202
    assert operator.request("GET", "/admin/v1/partners", headers=bearer).status == 401
    bearer = {"authorization": f"Bearer {ask().document['access_token']}"}
    assert operator.request("GET", "/admin/v1/partners", headers=bearer).status == 200
    assert report(operator, {"secret": keys.generate().to_secret().reveal()}).status == 202
    assert ask().status == 200
    assert report(operator, {"secret": pem}).status == 202
    assert operator.request("GET", "/admin/v1/partners", headers=bearer).status == 401
    assert ask().status == 401
    until(lambda: recipients(operator, "operator_key_leaked") == {"operator"})
    assert "alarm kind=secret_reported subject=operator " in operator.log


def test_a_link_leads_nowhere_any_more(operator):
    out = operator.home.parent / "linked.asc"
    options = ("--partner", "Acme", "--name", "linked", "--scope", "studies:read", "--resource", "https://api.example")
    link = operator.run("client", "create", *options, "--out", out, "--link")["link"]
    assert report(operator, {"secret": link, "url": link}).status == 202
    assert operator.request("POST", urlsplit(link).path).status == 404
    (record,) = [one for one in reported(operator) if one["what"] == "hand-off link"]
    assert record["where"] == "localhost/handoff/(secret)"
    assert operator.token(operator.open(out), scope="studies:read").status == 200


def test_the_last_secret_gets_a_sealed_replacement_and_one_among_others_gets_none(operator, until):
    """What is on its way out does not count: soon the client would have none."""
    info = operator.client("replaced", scope="studies:read")
    out = operator.home.parent / "replaced-2.asc"
    operator.run("client", "rotate", info.client_id, "--out", out)
    second = operator.open(out)
    assert operator.token(second, scope="studies:read").status == 200
    assert report(operator, {"secret": second.client_secret.reveal()}).status == 202
    (sealed,) = (operator.home / "sealed").glob(f"{info.client_id}.*")
    replacement = operator.open(sealed)
    assert replacement.client_id == info.client_id
    states = [one["state"] for one in operator.run("client", "show", info.client_id)["credentials"]]
    assert states == ["retiring", "revoked", "active"]
    assert report(operator, {"secret": info.client_secret.reveal()}).status == 202
    assert len(list((operator.home / "sealed").glob(f"{info.client_id}.*"))) == 1, "the replacement will do"
    assert operator.token(replacement, scope="studies:read").status == 200
    operator.run("client", "suspend", info.client_id)
    assert report(operator, {"secret": replacement.client_secret.reveal()}).status == 202
    assert len(list((operator.home / "sealed").glob(f"{info.client_id}.*"))) == 1, "it is suspended, and needs none"
    until(lambda: recipients(operator, "replacement_sealed") == {"partner", "operator"})


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[]",
        b'{"secret": 7}',
        b'{"secret": ""}',
        b'{"secret": "a", "secret": "b"}',
        json.dumps({"secret": "x"}).encode("utf-16"),
        json.dumps([{"secret": "x"}] * 51).encode(),
        json.dumps({"secret": "x" * 5000}).encode(),
    ],
)
def test_what_is_no_report_is_refused(operator, body):
    answer = report(operator, body)
    assert (answer.status, answer.document["error"]) == (400, "invalid_request")


def test_a_report_comes_in_a_body_of_json_and_of_bounded_length(operator):
    info = operator.client("wrong-way")
    secret = info.client_secret.reveal()
    assert report(operator, f"secret={secret}".encode(), "application/x-www-form-urlencoded").status == 400
    assert operator.request("GET", "/leaks").status == 405
    assert operator.token(info, scope="studies:read").status == 200
    assert report(operator, {"secret": "x", "url": "x" * 70_000}).status == 413
    assert secret not in operator.log


def test_guesses_are_slowed_down_and_a_finder_never_is(operator):
    """Last: the network's guesses are used up."""
    info = operator.client("found-late")
    guesses = [{"secret": client_secret.make("unknown0", bytes([n]) * 32).reveal()} for n in range(50)]
    answers = [report(operator, guesses) for _ in range(2)]
    assert answers[-1].status == 429
    assert int(answers[-1].headers["retry-after"]) > 0
    assert report(operator, {"secret": info.client_secret.reveal()}).status == 202
    states = [one["state"] for one in operator.run("client", "show", info.client_id)["credentials"]]
    assert states == ["revoked", "active"], "and its replacement"


def test_nothing_is_sealed_to_a_certificate_that_is_not_valid_any_more(operator):
    """Two days on, in this process: the secret is withdrawn all the same."""
    private_key, certificate = openpgp_keys.generate_partner_key("Brief <brief@brief.example>", DAY)
    file, out = operator.home.parent / "brief-certificate.asc", operator.home.parent / "brief.asc"
    file.write_bytes(certificate.armored)
    confirmed = ("--email", "brief@brief.example", "--confirm-fingerprint", certificate.fingerprint)
    operator.run("partner", "add", "Brief", "--certificate", file, *confirmed)
    options = ("--partner", "Brief", "--name", "brief", "--scope", "studies:read", "--resource", "https://api.example")
    client_id = operator.run("client", "create", *options, "--out", out)["client_id"]
    secret = dataclasses.replace(operator, private_key=private_key).open(out).client_secret
    now = system_clock() + 2 * DAY
    opened = installation.open(operator.home, environ=os.environ, entropy=system_entropy)
    with contextlib.closing(opened):
        service = SelfService(opened, clock=lambda: now, entropy=system_entropy)
        done = service.report_leak(Report(secret, None, "192.0.2.1"))
    assert done.outcome is Outcome.LAST_WITHDRAWN and done.is_dark
    assert [one["state"] for one in operator.run("client", "show", client_id)["credentials"]] == ["revoked"]
    assert not list((operator.home / "sealed").glob(f"{client_id}.*"))
