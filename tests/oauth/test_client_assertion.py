"""keyfob.oauth.client_assertion: RFC 7521 §4.2, RFC 7523 §3."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth import client_assertion
from keyfob.oauth.errors import InvalidClient

ISSUER = "https://auth.example"
ENDPOINT = f"{ISSUER}/oauth2/token"
NOW = 1_000_000
GOOD = client_assertion.write_claims("cl_1", audience=ISSUER, now=NOW, jti="j")


def read(claims, now=NOW):
    return client_assertion.read_claims(
        claims, client_id="cl_1", audiences=frozenset({ISSUER, ENDPOINT}), now=now, max_lifetime=300
    )


def test_an_assertion_comes_back_as_it_was_written():
    """RFC 7523 §3."""
    assert read(GOOD) == client_assertion.ClientAssertion("cl_1", NOW + 60, "j")
    assert read({**GOOD, "aud": [ENDPOINT]}) == read(GOOD)
    assert read({name: GOOD[name] for name in ("iss", "sub", "aud", "exp")}).jti is None


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "cl_2"},
        {"sub": "cl_2"},
        {"iss": None},
        {"aud": "https://other.example"},
        {"aud": ISSUER + "/"},
        {"aud": [ISSUER, ENDPOINT]},
        {"aud": []},
        {"aud": None},
        {"jti": ""},
        {"jti": 1},
    ],
)
def test_an_assertion_of_or_for_somebody_else_is_refused(change: dict[str, object]):
    """RFC 7523 §3, RFC 8725 §3.8, §3.9: issuer and subject are the client, the audience is this server alone."""
    with pytest.raises(InvalidClient) as refused:
        read({**GOOD, **change})
    assert refused.value.description == InvalidClient().description


def test_each_date_at_its_boundary():
    """RFC 7519 §4.1.4, §4.1.5, §4.1.6, RFC 7523 §3: `exp` itself is too late; a fast clock has 30 seconds."""
    assert read(GOOD, now=NOW + 59)
    assert read({**GOOD, "exp": NOW + 330, "iat": NOW + 30, "nbf": NOW + 30})
    for change, now in (
        ({}, NOW + 60),
        ({"exp": NOW + 331}, NOW),
        ({"iat": NOW + 31}, NOW),
        ({"nbf": NOW + 31}, NOW),
    ):
        with pytest.raises(InvalidClient):
            read({**GOOD, **change}, now=now)


@pytest.mark.parametrize("value", [None, True, "1000300", -1, float("nan"), 10**15, []])
def test_a_date_that_is_no_number_is_refused(value: object):
    """RFC 7519 §2: a NumericDate is a number, which may have a fraction."""
    with pytest.raises(InvalidClient):
        client_assertion.read_claims(
            {**GOOD, "exp": value}, client_id="cl_1", audiences=frozenset({ISSUER}), now=0, max_lifetime=10**16
        )
    assert read({**GOOD, "exp": NOW + 60.5}).expires_at == NOW + 60


@given(
    st.dictionaries(
        st.sampled_from([*GOOD, "nbf"]), st.none() | st.booleans() | st.floats() | st.text() | st.lists(st.text())
    )
)
def test_any_claims_are_read_or_refused(changes: dict[str, object]):
    with contextlib.suppress(InvalidClient):
        read({**GOOD, **changes})
