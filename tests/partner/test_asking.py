"""`keyfob keys`: what is sent is signed, what comes back is said, and no private key leaves."""

import json

import pytest

from keyfob import change_request
from keyfob.ambient import system_clock
from keyfob.change_request import ChangeRequest
from keyfob.jose import keys
from keyfob.openpgp import clearsigned
from keyfob.openpgp import keys as key_pairs
from keyfob.openpgp.unseal import PrivateKeyUnsealer
from keyfob.partner.asking import ask, read_jwks
from keyfob.partner.steps import Response
from keyfob.problem import Misuse, Problem

PRIVATE_KEY, CERTIFICATE = key_pairs.generate_operator_key("Partner <p@partner.example>")
REQUEST = ChangeRequest(issuer="https://id.example", client_id="cl_1", asked_at=system_clock(), stop="ann_1")


class Issuer:
    """Answers once, and keeps what it was sent."""

    def __init__(self, status, document):
        self.answer = Response(status, (), json.dumps(document).encode())

    def send(self, request):
        self.request = request
        return self.answer


def asked(issuer):
    return ask(REQUEST, signer=PrivateKeyUnsealer(PRIVATE_KEY), fingerprint=CERTIFICATE.fingerprint, transport=issuer)


def test_the_wish_is_signed_and_the_answer_is_what_came_of_it():
    issuer = Issuer(200, {"state": "stopped"})
    assert asked(issuer) == {"state": "stopped"}
    assert (issuer.request.method, issuer.request.url) == ("POST", "https://id.example/partner/v1/changes")
    assert change_request.read(clearsigned.verify(issuer.request.body, signer=CERTIFICATE)) == REQUEST


def test_a_refusal_is_told_without_what_could_move_a_cursor():
    with pytest.raises(Problem, match="stop ann_2 first") as refused:
        asked(Issuer(409, {"error": "change_waits", "error_description": "stop ann_2 first\x1b[2J"}))
    assert "\x1b" not in refused.value.message
    with pytest.raises(Problem, match="HTTP 503"):
        asked(Issuer(503, []))


def test_a_private_key_is_not_sent(tmp_path):
    made, file = keys.generate("ES256"), tmp_path / "keys.jwks"
    file.write_bytes(keys.write_jwks([made.public_jwk()]))
    assert json.loads(read_jwks(file))["keys"][0]["kty"] == "EC"
    file.write_text(json.dumps({"keys": [made.public_jwk() | {"d": "x"}]}))
    with pytest.raises(Misuse, match="private key"):
        read_jwks(file)
    file.write_text("[]")
    with pytest.raises(Misuse, match="no JSON object"):
        read_jwks(file)
