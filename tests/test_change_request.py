"""What a partner asks for: written and read back, and nothing else believed to be it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob import change_request
from keyfob.change_request import ChangeRequest, MalformedChangeRequest

names = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=40)
wishes = st.one_of(
    st.builds(lambda kid: {"jwks": json.dumps({"keys": [{"kid": kid}]})}, names),
    st.builds(lambda kid: {"add_keys": json.dumps({"keys": [{"kid": kid}]})}, names),
    st.builds(lambda gone: {"remove_keys": tuple(gone)}, st.lists(names, min_size=1, max_size=16)),
    st.builds(lambda url: {"jwks_uri": url}, names),
    st.builds(lambda content: {"certificate": content}, st.binary(min_size=1, max_size=200)),
    st.builds(lambda name: {"stop": name}, names),
)


@given(names, names, st.integers(0, 2**40), wishes)
def test_what_was_written_is_read(issuer, client_id, asked_at, wish):
    one = ChangeRequest(issuer=issuer, client_id=client_id, asked_at=asked_at, **wish)
    text = change_request.write(one)
    assert change_request.read(text) == one
    # Signing in clear changes lines that begin with a dash, and drops blanks at the end of one.
    assert all(not line.startswith(b"-") and line == line.rstrip() for line in text.splitlines())


GOOD = {"purpose": "keyfob-change", "issuer": "https://id.example", "client_id": "cl_1", "asked_at": 1, "stop": "ann_1"}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"purpose": "keyfob-acknowledgement"}, "purpose"),
        ({"asked_at": "1"}, "asked_at"),
        ({"asked_at": True}, "asked_at"),
        ({"client_id": ""}, "client_id"),
        ({"issuer": None}, "issuer"),
        ({"jwks_uri": "https://x.example"}, "exactly one"),
        ({"stop": None}, "stop"),
    ],
)
def test_what_is_wrong_is_named_and_not_quoted(change, named):
    assert change_request.read(json.dumps(GOOD).encode()).stop == "ann_1"
    with pytest.raises(MalformedChangeRequest, match=named):
        change_request.read(json.dumps(GOOD | change).encode())


def test_another_shape_is_refused():
    without = {name: value for name, value in GOOD.items() if name != "stop"}
    strange = ({"jwks": []}, {"add_keys": "x"}, {"remove_keys": []}, {"remove_keys": ["a"] * 17}, {"remove_keys": [1]})
    for wish in ({}, *strange, {"certificate": "?"}):
        with pytest.raises(MalformedChangeRequest):
            change_request.read(json.dumps(without | wish).encode())
    with pytest.raises(MalformedChangeRequest, match="small"):
        change_request.read(json.dumps(GOOD | {"more": "x" * 13_000}).encode())


@given(st.binary(max_size=300))
def test_any_bytes_are_a_request_or_malformed(content):
    with pytest.raises(MalformedChangeRequest):
        change_request.read(content)
