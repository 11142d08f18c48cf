"""keyfob.client_secret: a form that scanners recognise and no encoding breaks."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob import client_secret
from keyfob.secret import Secret

RANDOM = st.binary(min_size=32, max_size=32)
IDS = st.from_regex(r"[0-9A-Za-z]{8,64}", fullmatch=True)


@given(IDS, RANDOM)
def test_the_credential_id_is_found_in_a_secret_that_was_made(credential_id: str, random: bytes):
    secret = client_secret.make(credential_id, random)
    assert client_secret.credential_id(secret) == credential_id
    assert re.fullmatch(client_secret.PATTERN, secret.reveal())
    assert re.fullmatch(r"[A-Za-z0-9._-]+", secret.reveal())


@given(RANDOM, st.integers(0, 200))
def test_a_mistyped_secret_is_told_from_a_wrong_one(random: bytes, place: int):
    text = client_secret.make("abcdefgh", random).reveal()
    place %= len(text)
    changed = text[:place] + ("x" if text[place] != "x" else "y") + text[place + 1 :]
    assert client_secret.credential_id(Secret(changed)) is None


@given(RANDOM, RANDOM)
def test_different_randomness_gives_different_secrets(one: bytes, other: bytes):
    same = client_secret.make("abcdefgh", one) == client_secret.make("abcdefgh", other)
    assert same == (one == other)


@given(st.text(max_size=80) | st.binary(max_size=80))
def test_any_other_text_holds_no_credential_id(text: str | bytes):
    assert client_secret.credential_id(Secret(text)) is None


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=16, max_size=16))
def test_ids_are_opaque_and_as_different_as_their_randomness(one: bytes, other: bytes):
    first, second = client_secret.new_id("cl_", one), client_secret.new_id("cl_", other)
    assert re.fullmatch(r"cl_[0-9A-Za-z]{22}", first)
    assert (first == second) == (one == other)


def test_too_little_randomness_is_refused():
    with pytest.raises(ValueError):
        client_secret.make("abcdefgh", b"short")
    with pytest.raises(ValueError):
        client_secret.make("a_b", bytes(32))
    with pytest.raises(ValueError):
        client_secret.new_id("x_", b"short")
