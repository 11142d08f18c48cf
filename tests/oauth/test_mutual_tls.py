"""keyfob.oauth.mutual_tls: which certificate a client is known by, and which one a token names."""

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth import distinguished_name, mutual_tls
from keyfob.oauth.mutual_tls import CertificateNames, CertificateSubject, InvalidMetadata, SubjectField

DNS, URI, IP, EMAIL, DN = (
    SubjectField.SAN_DNS,
    SubjectField.SAN_URI,
    SubjectField.SAN_IP,
    SubjectField.SAN_EMAIL,
    SubjectField.SUBJECT_DN,
)


def subject(field: SubjectField, value: object) -> CertificateSubject | None:
    return mutual_tls.read_subject({field.value: value})


@given(st.binary(max_size=200), st.binary(max_size=200))
def test_a_token_names_one_certificate_and_no_other(certificate, other):
    """RFC 8705 §3.1: by its SHA-256 in base64url."""
    named = mutual_tls.thumbprint(certificate)
    assert named == base64.urlsafe_b64encode(hashlib.sha256(certificate).digest()).rstrip(b"=").decode()
    assert mutual_tls.confirms(named, certificate)
    assert mutual_tls.confirms(named, other) is (certificate == other)
    assert not mutual_tls.confirms(named + "=", certificate)
    assert not mutual_tls.confirms("\ud800", certificate)


def test_a_client_is_known_by_exactly_one_name():
    """RFC 8705 §2.1.2."""
    assert mutual_tls.read_subject({}) is None
    assert mutual_tls.read_subject({DNS.value: None, URI.value: "urn:a"}) == CertificateSubject(URI, "urn:a")
    with pytest.raises(InvalidMetadata, match="exclude each other"):
        mutual_tls.read_subject({DNS.value: "a.example", URI.value: "urn:a"})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        (DNS, "*.acme.example"),
        (DNS, "acme.example."),
        (DNS, "a b"),
        (DNS, "a" * 64 + ".example"),
        (URI, "HTTPS://acme.example"),
        (URI, "acme.example"),
        (URI, "urn:a b"),
        (IP, "192.0.2.256"),
        (IP, "192.0.2.0/24"),
        (EMAIL, "acme.example"),
        (EMAIL, "@acme.example"),
        (EMAIL, "a b@acme.example"),
        (DN, "edc.acme.example"),
        (DN, ""),
        (DN, 7),
        (DNS, "a" * 1025),
    ],
)
def test_what_no_certificate_can_name_is_refused_by_the_name_of_its_member(field, value):
    with pytest.raises(InvalidMetadata, match=field.value):
        subject(field, value)


def test_names_are_compared_as_their_kind_wants():
    """RFC 4343, RFC 3986 §6.2.1, RFC 5280 §7.5: case counts in a URI and before the @, and in no host."""
    held = CertificateNames(
        dns=("EDC.acme.example", "*.lab.example"),
        uris=("urn:acme:EDC",),
        addresses=("2001:db8::1",),
        mailboxes=("Edc@ACME.example",),
    )
    for field, value, named in (
        (DNS, "edc.ACME.example", True),
        (DNS, "one.lab.example", False),
        (DNS, "acme.example", False),
        (URI, "urn:acme:EDC", True),
        (URI, "urn:acme:edc", False),
        (IP, "2001:0db8:0::1", True),
        (IP, "2001:db8::2", False),
        (EMAIL, "Edc@acme.EXAMPLE", True),
        (EMAIL, "edc@acme.example", False),
    ):
        assert mutual_tls.names(held, subject(field, value)) is named, (field, value)


def test_a_subject_is_the_whole_of_it_in_its_order():
    """RFC 8705 §2.1.2: no part of a name will do."""
    held = CertificateNames(distinguished_name.parse("CN=edc,O=Acme,C=DE"))
    assert mutual_tls.names(held, subject(DN, "cn=edc,o=Acme,c=DE"))
    for other in ("CN=edc", "CN=edc,O=Acme", "C=DE,O=Acme,CN=edc", "CN=EDC,O=Acme,C=DE", "CN=edc+O=Acme,C=DE"):
        assert not mutual_tls.names(held, subject(DN, other)), other


def test_whether_tokens_are_bound_is_a_truth_value():
    """RFC 8705 §3.4: false where nothing is said."""
    assert mutual_tls.read_bound_tokens({}) is False
    assert mutual_tls.read_bound_tokens({mutual_tls.BOUND_TOKENS: True}) is True
    with pytest.raises(InvalidMetadata):
        mutual_tls.read_bound_tokens({mutual_tls.BOUND_TOKENS: "true"})


ATTRIBUTES = st.tuples(
    st.sampled_from(["2.5.4.3", "2.5.4.10", "2.5.4.97", "1.2.3.4"]), st.text(st.characters(codec="utf-8"), min_size=1)
)
NAMES = st.lists(st.frozensets(ATTRIBUTES, min_size=1, max_size=2), min_size=1, max_size=4).map(tuple)


@given(NAMES)
def test_a_distinguished_name_is_read_as_it_was_written(name):
    """RFC 4514 §2.4, §3."""
    text = distinguished_name.write(name)
    if len(text) <= 1024:
        assert distinguished_name.parse(text) == name


@given(st.text(max_size=60) | st.text(st.sampled_from('CNO=,+\\ #"a'), max_size=20))
def test_any_text_is_a_distinguished_name_or_refused(text):
    try:
        found = distinguished_name.parse(text)
    except distinguished_name.MalformedName:
        return
    assert distinguished_name.parse(distinguished_name.write(found)) == found
