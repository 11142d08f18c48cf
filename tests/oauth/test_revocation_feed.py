"""keyfob.oauth.revocation_feed: what is read is what was written, or refused; and which token an entry means."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth import revocation_feed
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.errors import InvalidRequest
from keyfob.oauth.revocation_feed import Feed, MalformedFeed, Revocation, Revocations, Subject

ISSUER, RESOURCE, NOW = "https://auth.example", "https://api.example", 1_000_000
ENTRIES = st.builds(
    Revocation,
    st.sampled_from(Subject),
    st.text(max_size=20),
    st.none() | st.integers(0, 2**40),
    st.integers(0, 2**40),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 2**60) | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["iss", "aud", "iat", "exp", "seq", "since", "revocations", "kid", "jti", "cutoff"]),
            inner,
            max_size=6,
        )
    ),
    max_leaves=12,
)


def read(claims):
    return revocation_feed.read_claims(claims, issuer=ISSUER, audience=RESOURCE, now=NOW)


@given(st.lists(ENTRIES, max_size=5), st.integers(0, 2**50), st.integers(0, 2**50))
def test_a_feed_comes_back_as_it_was_written(entries, since, sequence):
    feed = Feed(since, sequence, NOW, tuple(entries))
    assert read(revocation_feed.write_claims(feed, issuer=ISSUER, audience=RESOURCE)) == feed


@given(st.dictionaries(st.sampled_from(["iat", "exp", "seq", "since", "revocations"]), JSON, max_size=5))
def test_any_claims_are_a_feed_or_refused(changes):
    good = revocation_feed.write_claims(Feed(0, 1, NOW, ()), issuer=ISSUER, audience=RESOURCE)
    try:
        found = read(good | changes)
    except MalformedFeed:
        return
    assert all(isinstance(entry, Revocation) for entry in found.revocations)


@given(st.text(max_size=20))
def test_any_since_is_a_number_or_refused(text):
    try:
        assert revocation_feed.read_request({"since": text}) == int(text)
    except InvalidRequest:
        assert not (text.isascii() and text.isdigit() and len(text) <= 15)


def token(**changes: object) -> AccessToken:
    claims = {"client_id": "cl", "jti": "j", "issued_at": NOW, "credential_id": "cr", "key_id": "k", **changes}
    return AccessToken(
        issuer=ISSUER,
        subject="cl",
        audience=RESOURCE,
        expires_at=NOW + 300,
        scope=frozenset({"a"}),
        authorization_details=(),
        **claims,
    )


@pytest.mark.parametrize(
    ("subject", "named"),
    [(Subject.CLIENT, "cl"), (Subject.CREDENTIAL, "cr"), (Subject.TOKEN, "j"), (Subject.KEY, "k")],
)
def test_an_entry_means_the_tokens_of_its_subject_up_to_its_cutoff_until_it_is_forgotten(subject, named):
    entry = Revocation(subject, named, NOW, NOW + 10)
    known = Revocations().plus([entry], now=NOW)
    assert known.find(token()) == entry
    assert known.find(token(issued_at=NOW + 1)) is None
    assert known.find(token(client_id="x", credential_id=None, jti="x", key_id=None)) is None
    assert known.plus([], now=NOW + 10).find(token()) is None
    assert Revocations().plus([Revocation(subject, named, None, NOW + 10)], now=NOW).find(token(issued_at=2**40))
