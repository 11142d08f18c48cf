"""keyfob.client_certificates: certificates as partners send them become the keys that are registered."""

import datetime
import json

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from client_certs import Pair, make
from keyfob import client_certificates
from keyfob.client_certificates import (
    Authorities,
    ClientCertificate,
    Expired,
    NotVouchedFor,
    NotYetValid,
    WrongPurpose,
)
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


NOW = int(datetime.datetime.now(datetime.UTC).timestamp())
AUTHORITY = make("Authority", is_authority=True)
CLIENT = make("edc.example", by=AUTHORITY)
TRUSTED = Authorities((AUTHORITY.certificate,))


def read(pair: Pair) -> ClientCertificate:
    return ClientCertificate.read(pair.der)


def test_a_certificate_is_good_from_its_first_second_to_its_last():
    """RFC 5280 §4.1.2.5."""
    first = int(CLIENT.certificate.not_valid_before_utc.timestamp())
    last = int(CLIENT.certificate.not_valid_after_utc.timestamp())
    for now in (first, last):
        read(CLIENT).check(now=now)
    with pytest.raises(NotYetValid):
        read(CLIENT).check(now=first - 1)
    with pytest.raises(Expired):
        read(CLIENT).check(now=last + 1)


def test_a_certificate_for_another_purpose_is_refused():
    """RFC 5280 §4.2.1.3, §4.2.1.12: one that names none is for all."""
    for purpose in (ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE, None):
        read(make("edc.example", by=AUTHORITY, purpose=purpose)).check(now=NOW)
    read(make("edc.example", by=AUTHORITY, usage=False)).check(now=NOW)
    with pytest.raises(WrongPurpose):
        read(make("edc.example", by=AUTHORITY, purpose=ExtendedKeyUsageOID.SERVER_AUTH)).check(now=NOW)
    with pytest.raises(WrongPurpose):
        read(make("edc.example", by=AUTHORITY, signs=False)).check(now=NOW)


def test_whoever_the_authority_vouches_for_is_vouched_for():
    between = make("Between", by=AUTHORITY, is_authority=True)
    TRUSTED.check(read(CLIENT), (), now=NOW)
    TRUSTED.check(read(make("edc.example", by=between)), (between.der,), now=NOW)
    for pair, chain in (
        (make("edc.example", by=between), ()),
        (make("edc.example", by=make("Authority", is_authority=True)), ()),
        (make("edc.example"), ()),
        (CLIENT, (b"no certificate",)),
    ):
        with pytest.raises(NotVouchedFor):
            TRUSTED.check(read(pair), chain, now=NOW)
    with pytest.raises(NotVouchedFor):
        Authorities(()).check(read(CLIENT), (), now=NOW)


def test_who_is_no_authority_vouches_for_nobody():
    """RFC 5280 §4.2.1.3, §4.2.1.9: a client's certificate signs no other, also where somebody listed it as one."""
    for issuer in (CLIENT, make("Authority", is_authority=True, signs=False)):
        with pytest.raises(NotVouchedFor):
            Authorities((issuer.certificate,)).check(read(make("x", by=issuer)), (), now=NOW)


def test_the_certificate_beside_a_key_is_its_own():
    """RFC 7517 §4.7."""
    clients.check_certificates(ClientKeys.parse(LAB.jwks()))
    mixed = json.loads(LAB.jwks(EDC))
    mixed["keys"][0]["x5c"] = mixed["keys"][1]["x5c"]
    with pytest.raises(Misuse) as refused:
        clients.check_certificates(ClientKeys.parse(json.dumps(mixed).encode()))
    assert refused.value.code == "other-certificate"
