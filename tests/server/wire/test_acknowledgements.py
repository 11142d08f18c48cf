"""A signed receipt for a sealed message: what is believed, what is not, and what a stranger learns of it."""

from dataclasses import replace

import pytest

from keyfob import acknowledgement
from keyfob.acknowledgement import Acknowledgement
from keyfob.ambient import system_clock
from keyfob.openpgp import certificate, keys
from keyfob.openpgp.unseal import PrivateKeyUnsealer


@pytest.fixture(scope="module")
def operator(new_operator):
    made = new_operator()
    made.serve()
    return made


class Client:
    def __init__(self, operator, name):
        self.operator = operator
        self.information = operator.client(name, scope="studies:read")
        message = (operator.home.parent / f"{name}.asc").read_bytes()
        info = self.information
        self.receipt = Acknowledgement(
            issuer=operator.issuer,
            client_id=info.client_id,
            credential_id=info.credential_id,
            message_id=info.message_id,
            digest=acknowledgement.digest_of(message),
            acknowledged_at=system_clock(),
        )

    def sign(self, receipt=None, private_key=None):
        key = private_key or self.operator.private_key
        fingerprint = keys.certificate_of(key).fingerprint
        return PrivateKeyUnsealer(key).clearsign(
            acknowledgement.write(receipt or self.receipt), fingerprint=fingerprint
        )

    def send(self, signed):
        return self.operator.request("POST", acknowledgement.PATH, signed)

    def shown(self):
        return self.operator.run("client", "show", self.information.client_id)["credentials"][0]


def test_a_signed_receipt_is_seen_once_with_its_address(operator):
    client = Client(operator, "signed")
    assert client.shown()["acknowledged_at"] is None
    signed = client.sign()
    for _ in range(2):
        answer = client.send(signed)
        assert (answer.status, answer.document["acknowledged"]) == (200, True), answer
    shown = client.shown()
    assert shown["acknowledged_from"] == "127.0.0.1"
    assert abs(shown["acknowledged_at"] - system_clock()) < 60
    records = [one for one in operator.audit() if one["kind"] == "message_acknowledged"]
    assert [one["client_id"] for one in records].count(client.information.client_id) == 1
    fingerprint = certificate.check(operator.certificate.read_bytes(), now=system_clock()).fingerprint
    assert records[-1]["fingerprint"] == fingerprint
    assert records[-1]["message_id"] == client.information.message_id


def test_what_is_not_this_message_of_now_by_this_certificate_is_refused_alike(operator):
    client, other = Client(operator, "mine"), Client(operator, "other")
    thief, _ = keys.generate_operator_key("Thief")
    receipt, theirs = client.receipt, other.receipt
    wrong = {
        "another signer": client.sign(private_key=thief),
        "another message": client.sign(replace(receipt, message_id=theirs.message_id)),
        "another credential": client.sign(replace(receipt, credential_id=theirs.credential_id)),
        "another client": client.sign(replace(receipt, client_id=theirs.client_id)),
        "an unknown client": client.sign(replace(receipt, client_id="cl_unknown")),
        "another digest": client.sign(replace(receipt, digest="0" * 64)),
        "another issuer": client.sign(replace(receipt, issuer="https://issuer.example")),
        "too old": client.sign(replace(receipt, acknowledged_at=system_clock() - 601)),
        "not yet": client.sign(replace(receipt, acknowledged_at=system_clock() + 120)),
        "another purpose": client.sign().replace(b"keyfob-ack", b"keyfob-xyz"),
        "a changed text": client.sign().replace(receipt.digest.encode(), b"0" * 64),
        "unsigned": acknowledgement.write(receipt),
        "nothing": b"",
    }
    answers = {name: client.send(signed) for name, signed in wrong.items()}
    assert {name: answer.status for name, answer in answers.items()} == dict.fromkeys(wrong, 400)
    bodies = [answer.document | {"error_id": ""} for answer in answers.values()]
    assert all(body == bodies[0] for body in bodies)
    assert client.shown()["acknowledged_at"] is None
    assert other.shown()["acknowledged_at"] is None
    assert client.send(client.sign()).status == 200


def test_it_gives_no_right_and_takes_none(operator):
    client = Client(operator, "right")
    operator.run("client", "suspend", client.information.client_id)
    assert client.send(client.sign()).status == 200
    assert operator.token(client.information, scope="studies:read").status == 401


def test_too_many_wrong_ones_are_slowed_down(operator):
    """The last of this file: the network is slow for a minute."""
    client = Client(operator, "flood")
    found = [client.send(b"x").status for _ in range(60)]
    assert found[-1] == 429
    assert operator.token(client.information, scope="studies:read").status == 200, "a good secret never is"
