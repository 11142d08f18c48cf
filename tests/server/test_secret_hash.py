"""Stored secrets: a hash matches its secret under a live pepper, and nothing else matches anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.secret import Secret
from keyfob.server.secret_hash import Pepper, hash_secret, matches

OLD, NEW = Pepper("1", Secret(b"o" * 32)), Pepper("2", Secret(b"n" * 32))
SECRET = Secret("kfs_fake")


def test_a_secret_matches_its_hash_under_any_live_pepper():
    assert hash_secret(SECRET, NEW).startswith("hmac-sha256$2$")
    assert matches(SECRET, hash_secret(SECRET, NEW), (NEW, OLD))
    assert matches(SECRET, hash_secret(SECRET, OLD), (NEW, OLD))


def test_a_hash_under_a_pepper_that_is_gone_matches_nothing():
    assert not matches(SECRET, hash_secret(SECRET, OLD), (NEW,))


def test_the_same_pepper_id_with_another_key_matches_nothing():
    assert not matches(SECRET, hash_secret(SECRET, OLD), (Pepper("1", Secret(b"x" * 32)),))


@given(st.binary(min_size=1, max_size=40))
def test_another_secret_never_matches(other):
    assert matches(Secret(other), hash_secret(SECRET, NEW), (NEW, OLD)) == (Secret(other) == SECRET)


@pytest.mark.parametrize(
    "stored", [None, "", "$$", "$2$", "hmac-sha256$2$", "plain$2$x", "a$b", "a$b$c$d", "hmac-sha256$2$é", "0" * 64]
)
def test_what_is_no_hash_matches_nothing(stored):
    assert not matches(SECRET, stored, (NEW, OLD))


def test_another_algorithm_with_the_right_digest_matches_nothing():
    digest = hash_secret(SECRET, NEW).rpartition("$")[2]
    assert not matches(SECRET, f"sha1$2${digest}", (NEW,))


@given(st.text(max_size=60))
def test_matching_never_raises(stored):
    assert not matches(SECRET, stored, (NEW,)) or stored == hash_secret(SECRET, NEW)


def test_the_hash_and_the_pepper_show_no_secret():
    assert "kfs_fake" not in hash_secret(SECRET, NEW)
    assert "nnnn" not in repr(NEW)
