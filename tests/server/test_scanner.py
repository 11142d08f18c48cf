"""keyfob.server.scanner: GitHub's own example, and every way in which a signature or a document of keys is none."""

import base64
import json

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from keyfob.refreshing import CannotFetch
from keyfob.server.scanner import Signed, check, read_keys

# What docs.github.com gives to partners for their tests: body, key and signature.
NAME = "90a421169f0a406205f1563a953312f0be898d3c7b6c06b681aa86a874555f4a"
BODY = b'[{"token":"some_token","type":"some_type","url":"some_url"}]'
KEY = """-----BEGIN PUBLIC KEY-----
MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE9MJJHnMfn2+H4xL4YaPDA4RpJqUq
kCmRCBnYERxZanmcpzQSXs1X/AljlKkbJ8qpVIW4clayyef9gWhFbNHWAA==
-----END PUBLIC KEY-----
"""
SIGNATURE = "MEUCIQDKZokqnCjrRtw0tni+2Ltvl/uiMJ1EGumEsp1BsNr32AIgQY1YXD2nlj+XNfGK4rBfkMJ1JDOQcYXxa2sY8FNkrKc="


def document(*pairs):
    listed = [{"key_identifier": name, "key": key, "is_current": True} for name, key in pairs]
    return json.dumps({"public_keys": listed}).encode()


def pem(curve):
    public = ec.generate_private_key(curve).public_key()
    how = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    return public.public_bytes(*how).decode()


def test_the_example_that_github_publishes_holds():
    known = read_keys(document(("other", pem(ec.SECP256R1())), (NAME, KEY)))
    assert check(Signed(BODY, NAME, SIGNATURE), known)


@pytest.mark.parametrize(
    ("body", "name", "signature"),
    [
        (BODY + b"\n", NAME, SIGNATURE),
        (BODY.replace(b"some_token", b"your_token"), NAME, SIGNATURE),
        (BODY, "other", SIGNATURE),
        (BODY, "nobody", SIGNATURE),
        (BODY, NAME, ""),
        (BODY, NAME, SIGNATURE[:-4]),
        (BODY, NAME, " " + SIGNATURE),
        (BODY, NAME, SIGNATURE + "AAAA" * 20),
        (BODY, NAME, "ümlaut"),
        (BODY, NAME, base64.b64encode(bytes(64)).decode()),
    ],
)
def test_whatever_was_not_signed_so_is_not_believed(body, name, signature):
    known = read_keys(document(("other", pem(ec.SECP256R1())), (NAME, KEY)))
    assert not check(Signed(body, name, signature), known)


def test_a_key_of_another_curve_signs_nothing():
    """The closed list: P-256 alone."""
    private = ec.generate_private_key(ec.SECP384R1())
    how = serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    public = private.public_key().public_bytes(*how).decode()
    known = read_keys(document((NAME, KEY), ("p384", public)))
    made = base64.b64encode(private.sign(BODY, ec.ECDSA(hashes.SHA256()))).decode()
    assert not check(Signed(BODY, "p384", made), known)
    with pytest.raises(CannotFetch):
        read_keys(document(("p384", public)))


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"public_keys": {}}', b'{"public_keys": []}', b'{"public_keys": [7, {"key": 1}]}',
     document(*((str(n), KEY) for n in range(33))), document(("x" * 129, KEY)), document((NAME, "no key"))],
)  # fmt: skip
def test_what_is_no_document_of_keys_is_said(body):
    with pytest.raises(CannotFetch):
        read_keys(body)


@given(st.binary(max_size=200))
def test_any_document_is_read_or_refused(body):
    try:
        read_keys(body)
    except CannotFetch:
        return
    raise AssertionError("a key by chance")
