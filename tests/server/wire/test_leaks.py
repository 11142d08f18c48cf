"""A leaked secret, presented by whoever found it, stops working; and the answer tells nobody anything."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest

from keyfob import client_secret

pytestmark = pytest.mark.on("sqlite", "postgresql")


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


def recipients(operator):
    listed = operator.run("notice", "list")["notices"]
    return {one["recipient"] for one in listed if one["kind"] == "secret_leaked"}


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
    assert (
        operator.request("POST", f"/leaks?secret={secret}", b"{}", {"content-type": "application/json"}).status == 400
    )
    assert operator.request("GET", "/leaks").status == 405
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
    (credential,) = operator.run("client", "show", info.client_id)["credentials"]
    assert credential["state"] == "revoked"
