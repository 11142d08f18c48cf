"""The document that a partner signs for a message."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob import acknowledgement
from keyfob.acknowledgement import Acknowledgement, MalformedAcknowledgement

ONE = Acknowledgement("https://issuer.example", "cl_1", "credential1", "msg_1", "a" * 64, 1000)


def test_what_is_written_is_read():
    assert acknowledgement.read(acknowledgement.write(ONE)) == ONE


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("purpose", "another"), ("purpose", None), ("issuer", ""), ("client_id", 1), ("credential_id", "\x1b"),
        ("message_id", None), ("digest", "A" * 64), ("digest", "a" * 63), ("acknowledged_at", "1000"),
        ("acknowledged_at", True), ("acknowledged_at", -1),
    ],
)  # fmt: skip
def test_what_is_missing_or_malformed_is_refused(name, value):
    document = json.loads(acknowledgement.write(ONE)) | {name: value}
    with pytest.raises(MalformedAcknowledgement):
        acknowledgement.read(json.dumps(document).encode())
    del document[name]
    with pytest.raises(MalformedAcknowledgement):
        acknowledgement.read(json.dumps(document).encode())


@given(st.binary(max_size=200))
def test_anything_else_is_refused(content):
    with pytest.raises(MalformedAcknowledgement):
        acknowledgement.read(content)


def test_a_member_that_stands_twice_is_refused():
    text = acknowledgement.write(ONE).replace(b'"client_id": "cl_1"', b'"client_id": "cl_2", "client_id": "cl_1"')
    with pytest.raises(MalformedAcknowledgement):
        acknowledgement.read(text)


def test_a_mail_program_does_not_change_the_digest():
    message = b"-----BEGIN PGP MESSAGE-----\n\nabc\n-----END PGP MESSAGE-----\n"
    digest = acknowledgement.digest_of(message)
    assert acknowledgement.digest_of(message.replace(b"\n", b"\r\n")) == digest
    assert acknowledgement.digest_of(b"\n" + message.strip()) == digest
    assert acknowledgement.digest_of(message.replace(b"abc", b"abd")) != digest
