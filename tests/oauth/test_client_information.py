"""keyfob.oauth.client_information: the plaintext of a sealed message (RFC 7591 §3.2.1 and ours)."""

import contextlib
import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth import client_information
from keyfob.oauth.client_information import ClientInformation, MalformedMessage
from keyfob.secret import Secret

INFO = ClientInformation(
    client_id="cl_1",
    client_secret=Secret("kfs_x_y"),
    client_id_issued_at=1000,
    client_secret_expires_at=0,
    issuer="https://auth.example",
    token_endpoint="https://auth.example/oauth2/token",
    scope=frozenset({"a:read", "b"}),
    resource=("https://api.example", "https://other.example/v1"),
    credential_id="c1",
    message_id="m1",
    issued_at=1000,
    recipient_fingerprint="A" * 40,
)
DOCUMENT = json.loads(client_information.write(INFO).reveal())


@given(st.sets(st.sampled_from("abc"), min_size=1), st.integers(0, 2**33), st.booleans())
def test_a_message_comes_back_as_it_was_written(scope: set[str], at: int, has_secret: bool):
    info = replace(INFO, scope=frozenset(scope), issued_at=at, client_secret=INFO.client_secret if has_secret else None)
    assert client_information.read(client_information.write(info)) == info


def test_what_a_person_finds_after_gpg_decrypt_is_the_fields_of_rfc_7591():
    assert DOCUMENT["client_id"] == "cl_1"
    assert DOCUMENT["client_secret"] == "kfs_x_y"
    assert DOCUMENT["client_secret_expires_at"] == 0
    assert DOCUMENT["resource"] == ["https://api.example", "https://other.example/v1"]


@pytest.mark.parametrize(
    "change",
    [
        *({name: None} for name in DOCUMENT if name != "client_secret"),
        {"client_secret": 5},
        {"client_secret": None},
        {"client_secret": "two words"},
        {"client_id": "../../etc"},
        {"credential_id": "a/b"},
        {"issuer": "http://auth.example"},
        {"token_endpoint": "https://u@auth.example"},
        {"resource": "https://api.example"},
        {"resource": []},
        {"scope": ""},
        {"issued_at": -1},
        {"issued_at": True},
        {"recipient_fingerprint": "a" * 40},
    ],
)
def test_a_broken_member_is_named_and_its_value_is_not(change: dict[str, object]):
    with pytest.raises(MalformedMessage) as refused:
        client_information.read(Secret(json.dumps({**DOCUMENT, **change})))
    assert next(iter(change)) in str(refused.value)
    assert "kfs_" not in str(refused.value)
    assert refused.value.__cause__ is None


@given(st.binary(max_size=100) | st.text(max_size=100).map(str.encode))
def test_any_plaintext_is_read_or_refused(plaintext: bytes):
    with contextlib.suppress(MalformedMessage):
        client_information.read(Secret(plaintext))


def test_a_message_without_bound_is_refused():
    with pytest.raises(MalformedMessage):
        client_information.read(Secret(b" " * 16_385))
