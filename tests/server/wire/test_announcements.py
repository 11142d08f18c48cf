"""Other keys that a partner asks for by its signature: told first, stopped by either side, and counting later.

Seen from outside: a real mail server, a webhook of the partner's own, the real clock.
"""

import base64
import hashlib
import hmac
import json
import time
from types import SimpleNamespace

import pytest

from keyfob import change_request
from keyfob.change_request import ChangeRequest
from keyfob.jose import keys
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp import clearsigned
from keyfob.openpgp import keys as openpgp_keys
from keyfob.openpgp.unseal import PrivateKeyUnsealer
from mail_server import taking_mail

from .test_notices import OPERATOR, PARTNER, configure, text
from .test_private_key_jwt import Signer


def sign(operator, client_id, *, private_key=None, **wish):
    key = private_key or operator.private_key
    asked = {"issuer": operator.issuer, "client_id": client_id, "asked_at": int(time.time())} | wish
    fingerprint = openpgp_keys.certificate_of(key).fingerprint
    return PrivateKeyUnsealer(key).clearsign(change_request.write(ChangeRequest(**asked)), fingerprint=fingerprint)


def other_keys():
    key = keys.generate("ES256")
    return key, keys.write_jwks([key.public_jwk()]).decode()


@pytest.fixture(scope="module")
def place(new_operator, new_receiver, tls_files):
    """A server with e-mail, and a partner with a webhook of its own; the secret that signs what comes there."""
    operator = new_operator()
    with taking_mail(tls_files) as mailbox, new_receiver() as receiver:
        inner = '[keys]\njwks_uri_networks = "127.0.0.0/8 ::1/128"\n' + f'jwks_uri_ca = "{tls_files.ca}"\n'
        configure(operator, tls_files, mailbox, more=inner)
        out = operator.home.parent / "webhook.asc"
        operator.run("partner", "webhook", "Acme", "--url", receiver.url, "--out", out)
        told = json.loads(operator.unseal(out).reveal())
        assert told["webhook_url"] == receiver.url
        yield SimpleNamespace(operator=operator, mailbox=mailbox, receiver=receiver, secret=told["webhook_secret"])
        operator.stop()


@pytest.fixture
def operator(place):
    """With a server that announces for days."""
    if not place.operator.processes:
        place.operator.serve()
    return place.operator


@pytest.fixture(scope="module")
def owner(place):
    return Signer(place.operator, "owned")


def ask(operator, signed):
    return operator.request("POST", change_request.PATH, signed)


def posted(place):
    """The next thing that the partner's webhook got, its signature checked."""
    headers, body = place.receiver.got.get(timeout=20)
    key = base64.b64decode(place.secret.removeprefix("whsec_"))
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    made = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{made}"
    return json.loads(body)


def information(operator, letter):
    """What the operator's certificate signed in the attachment of a letter."""
    (attached,) = letter.iter_attachments()
    signer = certificates.read_signer((operator.home / "operator.asc").read_bytes())
    return json.loads(clearsigned.verify(attached.get_content().encode(), signer=signer))


def kinds(place, client_id, count):
    """Of the next `count` that the partner's webhook gets about the client."""
    found = []
    while len(found) < count:
        document = posted(place)
        found += [document["kind"]] * (document["facts"]["client_id"] == client_id)
    return sorted(found)


def letters_about(place, client_id, count):
    """The next `count` letters about the client, by whom they are for."""
    got = {PARTNER: [], OPERATOR: []}
    while sum(map(len, got.values())) < count:
        letter = place.mailbox.next()
        got[letter["x-rcpt"]] += [letter] * (client_id in text(letter))
    return got


def test_other_keys_are_told_first_and_count_when_their_time_has_come(place, monkeypatch, until):
    operator = place.operator
    operator.stop()
    monkeypatch.setenv("KEYFOB_CREDENTIALS_ANNOUNCED_FOR", "3")
    operator.serve()
    client = Signer(operator, "lab")
    letters = letters_about(place, client.client_id, 2)
    made = information(operator, letters[PARTNER][0])
    assert (made["client_id"], made["jwk_thumbprints"]) == (client.client_id, [client.key.kid])
    assert kinds(place, client.client_id, 1) == ["client_added"]
    old, (new, jwks) = client.key, other_keys()
    signed = sign(operator, client.client_id, jwks=jwks)
    answer = ask(operator, signed)
    assert (answer.status, answer.document["state"]) == (202, "waiting"), answer
    announced = answer.document["announcement_id"]
    assert client.ask(client.assertion(key=new)).status == 401
    assert client.ask(client.assertion(key=old)).status == 200
    assert ask(operator, signed).document["announcement_id"] == announced, "the same text again is the same wish"
    until(lambda: client.ask(client.assertion(key=new)).status == 200)
    assert client.ask(client.assertion(key=old)).status == 401
    letters = letters_about(place, client.client_id, 4)
    told = sorted(letters[PARTNER], key=lambda one: "from" not in one["subject"])
    assert "is to have other keys from" in told[0]["subject"]
    assert f"--stop {announced}" in text(told[0])
    assert information(operator, told[1])["jwk_thumbprints"] == [new.kid]
    assert f"announcement stop {announced}" in "".join(text(one) for one in letters[OPERATOR])
    assert kinds(place, client.client_id, 2) == ["client_keys_announced", "client_keys_changed"]
    records = [one for one in operator.audit() if one.get("announcement_id") == announced]
    assert [one["kind"] for one in records] == ["change_announced"] and records[0]["actor"].startswith("partner:")
    operator.stop()


def test_either_side_stops_what_was_announced_and_the_operator_hastens_it_with_a_reason(place, operator):
    client = Signer(operator, "stopped")
    new, jwks = other_keys()
    first = ask(operator, sign(operator, client.client_id, jwks=jwks)).document["announcement_id"]
    (shown,) = operator.run("client", "show", client.client_id)["announced"]
    assert (shown["announcement_id"], shown["thumbprints"]) == (first, [new.kid])
    assert [one["announcement_id"] for one in operator.run("status", status=1)["announced_changes"]] == [first]
    # Another wish has to wait for the end of this one: a thief could not hide his among others.
    assert ask(operator, sign(operator, client.client_id, jwks=other_keys()[1])).document["error"] == "change_waits"
    assert ask(operator, sign(operator, client.client_id, stop=first)).document["state"] == "stopped"
    second = ask(operator, sign(operator, client.client_id, jwks=other_keys()[1])).document["announcement_id"]
    assert operator.run("announcement", "stop", second, "--reason", "not theirs")["state"] == "stopped"
    assert client.ask().status == 200
    third = ask(operator, sign(operator, client.client_id, jwks=jwks, asked_at=int(time.time()) + 1))
    third = third.document["announcement_id"]
    assert operator.run("announcement", "hasten", third, status=2)["error"] == "reason-missing"
    assert operator.run("announcement", "hasten", third, "--reason", "called back")["state"] == "done"
    assert client.ask(client.assertion(key=new)).status == 200
    (record,) = [one for one in operator.audit() if one["kind"] == "client_keys_changed" and one.get("reason")]
    assert (record["client_id"], record["reason"]) == (client.client_id, "called back")
    listed = operator.run("announcement", "list")["announcements"]
    states = {one["announcement_id"]: one["state"] for one in listed if one["client_id"] == client.client_id}
    assert states == {first: "stopped", second: "stopped", third: "done"}
    # Added, three announced, two stopped, one changed; the partner hears each at its webhook, too.
    assert kinds(place, client.client_id, 7).count("change_stopped") == 2


def test_what_was_changed_after_the_announcement_is_not_undone_by_it(operator):
    client = Signer(operator, "changed")
    announced = ask(operator, sign(operator, client.client_id, jwks=other_keys()[1])).document["announcement_id"]
    client.key, jwks = other_keys()
    client.file.write_text(jwks)
    operator.run("client", "keys", client.client_id, "--jwks", client.file)
    assert operator.run("announcement", "hasten", announced, "--reason", "now")["state"] == "lapsed"
    assert client.ask().status == 200
    assert operator.run("announcement", "hasten", announced, "--reason", "now", status=1)["error"] == "not-waiting"


def test_nothing_but_the_signature_of_the_partners_certificate_asks_for_other_keys(operator, owner):
    thief = openpgp_keys.generate_operator_key("Thief <t@thief.example>")[0]
    _, jwks = other_keys()
    of_another = sign(operator, owner.client_id, jwks=jwks, private_key=thief)
    good = sign(operator, owner.client_id, jwks=jwks)
    for wrong in (
        of_another,
        good.replace(owner.client_id.encode(), b"cl_another"),
        change_request.write(ChangeRequest(issuer=operator.issuer, client_id=owner.client_id, asked_at=1, jwks=jwks)),
        sign(operator, owner.client_id, jwks=jwks, asked_at=int(time.time()) - 3600),
        sign(operator, owner.client_id, jwks=jwks, issuer="https://other.example"),
        sign(operator, "cl_nobody", jwks=jwks),
        b"",
    ):
        answer = ask(operator, wrong)
        assert (answer.status, answer.document["error"]) == (400, "invalid_change_request"), wrong
    # Whoever has a client's secret, or its key, has no more: there is no such way.
    info = operator.client("secret", scope="studies:read")
    pair = base64.b64encode(f"{info.client_id}:{info.client_secret.reveal()}".encode()).decode()
    for path in ("/partner/v1/changes", "/partner/v1/credentials", "/oauth2/register"):
        body = json.dumps({"client_id": owner.client_id, "jwks": json.loads(jwks)}).encode()
        answer = operator.request("POST", path, body, {"authorization": f"Basic {pair}"})
        assert answer.status in (400, 401, 405), path
    shown = operator.run("client", "show", owner.client_id)
    assert (shown["thumbprints"], shown["announced"]) == ([owner.key.kid], [])
    where = "https://partner.example/jwks.json"
    answer = ask(operator, sign(operator, info.client_id, jwks_uri=where))
    assert answer.document["error"] == "unusable_keys", "a key takes a secret's place by value"


def test_a_prolonged_key_counts_at_once_and_another_key_goes_by_the_operator(operator, owner):
    same = operator.certificate.read_bytes()
    assert ask(operator, sign(operator, owner.client_id, certificate=same)).document["state"] == "done"
    another = openpgp_keys.generate_operator_key("Acme <data@acme.example>")[1].armored
    answer = ask(operator, sign(operator, owner.client_id, certificate=another))
    assert (answer.status, answer.document["error"]) == (409, "another_key")


def test_the_signed_information_of_a_key_client_is_there_for_the_asking(operator, owner):
    signed = operator.run("client", "information", owner.client_id)["information"]
    signer = certificates.read_signer((operator.home / "operator.asc").read_bytes())
    said = json.loads(clearsigned.verify(signed.encode(), signer=signer))
    assert said["purpose"] == "keyfob-client-information"
    assert (said["token_endpoint_auth_method"], said["scope"]) == ("private_key_jwt", "studies:read subjects:read")


def test_keys_are_added_and_taken_away_by_who_does_not_know_the_others(operator):
    """As a machine of several that has a key of its own."""
    client = Signer(operator, "several")
    new, jwks = other_keys()

    def wish(**what):
        return ask(operator, sign(operator, client.client_id, **what))

    def hasten(answer):
        announced = answer.document["announcement_id"]
        assert operator.run("announcement", "hasten", announced, "--reason", "known")["state"] == "done"

    hasten(wish(add_keys=jwks))
    assert client.ask(client.assertion(key=new)).status == client.ask().status == 200
    shown = operator.run("client", "show", client.client_id)["thumbprints"]
    assert shown == [client.key.kid, new.kid]
    assert wish(remove_keys=("another",)).document["error"] == "unknown_key"
    assert wish(remove_keys=(client.key.kid, new.kid)).document["error"] == "last_key"
    hasten(wish(remove_keys=(client.key.kid, "another")))
    assert client.ask(client.assertion(key=new)).status == 200
    assert client.ask().status == 401
    # The same text again is the same wish: this one is asked at another second.
    hasten(wish(add_keys=jwks, asked_at=int(time.time()) + 1))
    assert operator.run("client", "show", client.client_id)["thumbprints"] == [new.kid], "once is enough"
    with_secret = operator.client("adds-none")
    refused = ask(operator, sign(operator, with_secret.client_id, add_keys=jwks))
    assert (refused.status, refused.document["error"]) == (409, "no_keys")


def test_no_other_keys_follow_what_is_for_an_emergency(operator):
    client = operator.client("unblinding", "--emergency", "1")
    refused = ask(operator, sign(operator, client.client_id, jwks=other_keys()[1]))
    assert refused.document["error"] == "unusable_keys"
    assert "emergency" in refused.document["error_description"]
    shown = operator.run("client", "show", client.client_id)
    assert (shown["auth_method"], shown["announced"]) == ("client_secret_basic", [])


def test_a_client_with_a_key_can_be_for_an_emergency_too(operator):
    client = Signer(operator, "unblinding-by-key", "--emergency", "72")
    assert client.ask(client.assertion()).status == 200
    (credential,) = operator.run("client", "show", client.client_id)["credentials"]
    assert credential["emergency"] is True
    given = next(
        one
        for one in operator.audit()
        if one["kind"] == "emergency_access_given" and one["client_id"] == client.client_id
    )
    assert given["expires_at"] == credential["expires_at"] == credential["not_before"] + 72 * 3600
