"""What a block of bytes holds: every form in which a secret of ours leaks, and no false alarm."""

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob import client_secret
from keyfob.client_secret import Prefix
from keyfob.partner.scan import matching
from keyfob.partner.scan.definition import Kind


@pytest.mark.parametrize("prefix", Prefix)
@pytest.mark.parametrize("before", [b"", b"x", b"xy", b"cl_0123456789012345678901:"])
@pytest.mark.parametrize(
    "encode",
    [
        bytes,
        lambda body: body.decode().encode("utf-16-le"),
        lambda body: body.decode().encode("utf-16-be"),
        base64.b64encode,
        base64.urlsafe_b64encode,
        lambda body: base64.b64encode(body).rstrip(b"="),
        lambda body: b"\n    ".join([base64.b64encode(body)[:40], base64.b64encode(body)[40:]]),
    ],
)
@pytest.mark.parametrize("after", [b"", b"1", b"-2"])
def test_each_kind_is_found_in_each_form(prefix, before, encode, after, plant):
    planted = plant(prefix)
    (found,) = matching.find(b"password: " + encode(before + planted.body + after) + b"\n")
    assert (found.fingerprint, found.credential_id) == (planted.fingerprint, "Abcdefgh12")
    assert found.kind.replace("-", "_").removeprefix("keyfob_").upper() == prefix.name


def test_a_wrong_checksum_is_no_secret(secret):
    changed = secret.text[:-1] + ("A" if secret.text[-1] != "A" else "B")
    assert matching.find(changed.encode()) == []
    assert matching.find(base64.b64encode(changed.encode())) == []


def test_nothing_that_is_found_shows_the_secret(secret, new_token):
    for planted in (secret, new_token(60)):
        (found,) = matching.find(planted.body)
        assert planted.text not in repr(found)
        assert planted.text[-40:-20] not in repr(found)


def test_an_access_token_is_known_by_its_type_and_claims(new_token):
    """RFC 9068 §2.1: `typ` says that it is an access token; RFC 7519 has other uses."""
    token = new_token(60)
    (found,) = matching.find(b"Authorization: Bearer " + token.body + b"\n")
    assert (found.kind, found.client_id, found.fingerprint) == (Kind.ACCESS_TOKEN, "cl_1", token.fingerprint)
    header, _, rest = token.text.partition(".")
    plain = base64.urlsafe_b64decode(header + "==").replace(b"at+jwt", b"JWT")
    assert matching.find(base64.urlsafe_b64encode(plain).rstrip(b"=") + b"." + rest.encode()) == []


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_a_secret_is_found_among_anything(before, after):
    secret = client_secret.make("Abcdefgh12", b"s" * 32)
    found = matching.find(before + b" " + secret.reveal_bytes() + b" " + after)
    assert matching.fingerprint(secret) in [match.fingerprint for match in found]


def test_what_only_looks_like_it_costs_little(secret):
    """Bounded work at each place: a file of nothing but beginnings does not stop the scan."""
    for bait in (b"kfs_", b".eyJ" + b"A" * 60, b"a2ZzX", b"k\0f\0s\0_\0", b"eyJ"):
        assert matching.find(bait * (200_000 // (2 * len(bait)))) == []
