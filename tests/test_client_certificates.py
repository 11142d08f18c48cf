"""keyfob.client_certificates: certificates as partners send them become the keys that are registered."""

import json

import pytest

from client_certs import make
from keyfob import client_certificates
from keyfob.jose.client_keys import ClientKeys
from keyfob.problem import Misuse
from keyfob.server.lifecycle import clients

LAB, EDC = make("lab.example"), make("edc.example")


def test_certificates_in_pem_are_the_set_of_their_keys():
    """RFC 7517 §4.7: in their order, also where a tool has written more around them."""
    content = b"subject=CN = lab.example\n" + LAB.pem + b"\n# and\n" + EDC.pem
    found = ClientKeys.parse(client_certificates.as_jwks(content))
    assert [key.certificate for key in found.keys] == [LAB.der, EDC.der]
    assert json.loads(clients.read_jwks(content, where="x")) == json.loads(LAB.jwks(EDC))


def test_what_is_no_certificate_is_left_as_it_is():
    assert client_certificates.as_jwks(LAB.jwks()) is None
    assert clients.read_jwks(LAB.jwks(), where="x").encode() == LAB.jwks()


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (LAB.pem + LAB.private_key, "private-key"),
        (LAB.pem.replace(b"MII", b"AAA"), "bad-certificate"),
        (LAB.pem[:-40], "bad-jwks"),
    ],
)
def test_a_private_key_and_a_damaged_certificate_are_refused_by_name(content, code):
    with pytest.raises(Misuse) as refused:
        clients.read_jwks(content, where="lab.pem")
    assert refused.value.code == code
    assert "lab.pem" in refused.value.message
