"""Refusals on real sockets: generic on the wire, explained to the operator and to the client's own other credential."""

import base64
import dataclasses
import json
import re
import time
from email.utils import formatdate

import pytest

from keyfob import client_secret
from keyfob.secret import Secret

from .test_private_key_jwt import Signer

FORM = {"content-type": "application/x-www-form-urlencoded"}
GRANT = b"grant_type=client_credentials&scope=studies:read"


@pytest.fixture(scope="module")
def client(operator):
    return operator.client("explained")


@pytest.fixture(scope="module")
def rotated(operator):
    """A client whose first secret is retired, and its present one."""
    old = operator.client("renewed")
    out = operator.home.parent / "present.asc"
    operator.run("client", "rotate", old.client_id, "--out", out)
    present = operator.open(out)
    assert operator.token(present, scope="studies:read").status == 200
    operator.run("client", "rotate", "--finish", old.client_id)
    return old, present


def basic(info, *, encode=lambda text: text):
    pair = f"{encode(info.client_id)}:{encode(info.client_secret.reveal())}"
    return {"authorization": "Basic " + base64.b64encode(pair.encode()).decode()}


def why(operator, answer):
    """What the operator reads at the command line."""
    return operator.run("explain", answer.document["error_id"])


def wrong(info, number=0):
    return dataclasses.replace(info, client_secret=client_secret.make(info.credential_id, bytes([number]) * 32))


def test_every_refusal_has_an_id_of_128_random_bits_and_one_length(operator, client):
    answers = [operator.token(wrong(client, number)) for number in range(5)]
    answers += [operator.request("GET", "/oauth2/token"), operator.request("GET", "/nothing")]
    ids = {answer.document["error_id"] for answer in answers}
    assert len(ids) == len(answers)
    assert all(re.fullmatch(r"[0-9a-f]{32}", one) for one in ids)
    assert all(answer.headers["keyfob-request-id"] == answer.document["error_id"] for answer in answers)


@pytest.mark.on("sqlite")
def test_the_operator_reads_the_exact_reason_of_each(operator, client, rotated):
    old, present = rotated
    suspended = operator.client("suspended")
    operator.run("client", "suspend", suspended.client_id)
    twice = basic(client, encode=lambda text: text.replace("_", "%255F"))
    dated = {**FORM, **basic(wrong(client)), "date": formatdate(time.time() + 300, usegmt=True)}
    encoded = dataclasses.replace(client, client_secret=Secret(client.client_secret.reveal().replace("_", "%5F")))
    cases = {
        "unknown_client": operator.token(dataclasses.replace(client, client_id="cl_" + "0" * 22)),
        "swapped": operator.token(dataclasses.replace(client, client_id=client.client_secret.reveal())),
        "wrong_secret": operator.request("POST", "/oauth2/token", GRANT, dated),
        "malformed_secret": operator.token(dataclasses.replace(client, client_secret=Secret("mistyped"))),
        "credential_retired": operator.token(old, scope="studies:read"),
        "client_suspended": operator.token(suspended, scope="studies:read"),
        "no_credentials": operator.request("POST", "/oauth2/token", GRANT, {**FORM, "via": "1.1 proxy"}),
        "not_basic": operator.request("POST", "/oauth2/token", GRANT, {**FORM, "authorization": "Bearer x"}),
        "encoded_twice": operator.request("POST", "/oauth2/token", GRANT, {**FORM, **twice}),
        "json_body": operator.request(
            "POST", "/oauth2/token", b"{}", {"content-type": "application/json", **basic(client)}
        ),
        "scope_not_granted": operator.token(operator.client("narrow", scope="studies:read"), scope="subjects:write"),
        "resource_not_granted": operator.token(client, scope="studies:read", resource="https://api.example/v1"),
        "secret_in_url": operator.request("GET", f"/x?client_secret={wrong(client).client_secret.reveal()}"),
        "wrong_method": operator.request("GET", "/oauth2/token"),
    }
    told = {reason: why(operator, answer) for reason, answer in cases.items()}
    assert {reason: found["reason"] for reason, found in told.items()} == {reason: reason for reason in cases}
    assert why(operator, operator.token(encoded, post=True))["reason"] == "encoded_twice"
    assert 295 <= told["wrong_secret"]["facts"]["clock_offset"] <= 300
    assert "s ahead of this server's." in told["wrong_secret"]["explanation"]
    assert told["no_credentials"]["facts"] == {"came_through_a_proxy": "yes"}
    assert told["credential_retired"]["facts"]["live_credentials"] == [present.credential_id]
    assert told["scope_not_granted"]["facts"]["not_granted"] == ["subjects:write"]
    assert told["resource_not_granted"]["facts"]["did_you_mean"] == ["https://api.example"]
    assert told["credential_retired"]["client_id"] == old.client_id
    assert told["unknown_client"]["client_id"] is None
    assert told["wrong_secret"]["address"] == "127.0.0.1"
    # All of them are the client's and the operator's business, and none of them a secret's place.
    everything = json.dumps(told) + operator.log
    kept = b"".join(path.read_bytes() for path in operator.home.glob("keyfob.db*"))
    for info in (client, old, present, suspended):
        secret = info.client_secret.reveal()
        for form in (secret, secret.replace("_", "%5F"), secret.split("_")[2]):
            assert form not in everything
            assert form.encode() not in kept


def test_an_unknown_id_and_rubbish_are_told_apart_from_a_known_one(operator):
    assert operator.run("explain", "0" * 32, status=1)["error"] == "unknown-error-id"
    assert operator.run("explain", "rubbish", status=2)["error"] == "bad-error-id"


def test_a_client_reads_its_own_with_another_live_credential(operator, rotated):
    """At once: also what was refused a moment ago."""
    old, present = rotated
    refused = operator.token(old, scope="studies:read")
    error_id = refused.document["error_id"]
    answer = operator.request("GET", f"/partner/v1/refusals/{error_id}", headers=basic(present))
    assert answer.status == 200
    assert answer.headers["cache-control"] == "no-store"
    assert answer.document["error_id"] == error_id
    assert answer.document["reason"] == "credential_retired"
    assert answer.document["facts"]["credential_id"] == old.credential_id
    assert "operator" in answer.document["next_step"]
    assert "keyfob-server" not in answer.document["next_step"]


def test_whatever_is_not_ones_own_is_one_same_404(operator, client, rotated):
    old, present = rotated
    foreign = operator.token(old, scope="studies:read").document["error_id"]
    nobodys = operator.token(dataclasses.replace(client, client_id="cl_" + "0" * 22)).document["error_id"]
    seen = set()
    for asked in (foreign, nobodys, "0" * 32, "rubbish", foreign.upper()):
        answer = operator.request("GET", f"/partner/v1/refusals/{asked}", headers=basic(client))
        assert answer.status == 404
        own = answer.headers["keyfob-request-id"].encode()
        headers = {name: value for name, value in answer.headers.items() if name not in ("date", "keyfob-request-id")}
        seen.add((tuple(sorted(headers.items())), answer.body.replace(own, b"ID")))
    assert len(seen) == 1
    assert operator.request("GET", f"/partner/v1/refusals/{foreign}", headers=basic(present)).status == 200


def test_nobody_reads_without_a_live_credential(operator, rotated):
    old, _ = rotated
    error_id = operator.token(old, scope="studies:read").document["error_id"]
    path = f"/partner/v1/refusals/{error_id}"
    for headers in ({}, basic(old), basic(wrong(old)), {"authorization": "Bearer x"}):
        answer = operator.request("GET", path, headers=headers)
        assert (answer.status, answer.document["error"]) == (401, "invalid_client")
        assert answer.headers["www-authenticate"].startswith("Basic ")
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert operator.request("POST", path, headers=basic(old) | form).status == 401
    assert operator.request("PUT", path, headers=basic(old)).status == 405
    assert operator.request("GET", "/partner/v1/refusals/", headers=basic(old)).status == 404
    assert error_id not in re.sub(r" id=\S+", "", operator.log)


def test_a_client_with_a_key_reads_its_own_by_an_assertion(operator):
    """RFC 7523 §2.2: as at the token endpoint."""
    signer = Signer(operator, "reads")
    error_id = signer.ask(scope="audit:read").document["error_id"]
    answer = operator.form(f"/partner/v1/refusals/{error_id}", signer.assertion())
    assert (answer.status, answer.document["reason"]) == (200, "scope_not_granted")
    other = Signer(operator, "reads-another's")
    assert operator.form(f"/partner/v1/refusals/{error_id}", other.assertion()).status == 404
    assert operator.form(f"/partner/v1/refusals/{error_id}", other.assertion(key=signer.key)).status == 401


def test_the_count_of_reasons_does_not_grow_with_what_is_sent(operator, until):
    """A repeated parameter's name and a position are public text, not a reason of the audit."""
    ids = []
    for number in range(5):
        name = b"a" * (number + 1)
        refused = operator.request("POST", "/oauth2/token", name + b"=1&" + name + b"=2", FORM)
        ids.append(refused.document["error_id"])
    until(lambda: ids[-1] in reasons(operator))
    recorded = reasons(operator)
    assert {recorded[one] for one in ids if one in recorded} == {"the form is malformed"}


def reasons(operator):
    """By the id of the refused request."""
    refused = [record for record in operator.audit() if record["kind"] == "token_refused"]
    return {record.get("request_id"): record["reason"] for record in refused}
