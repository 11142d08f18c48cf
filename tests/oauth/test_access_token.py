"""keyfob.oauth.access_token: RFC 9068 §2.2, RFC 7519 §4.1."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth import access_token
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.authorization_details import CdmsStudy
from keyfob.oauth.errors import InvalidToken

TEXT = st.text(min_size=1, max_size=40)
TOKENS = st.builds(
    AccessToken,
    issuer=st.just("https://auth.example"),
    subject=TEXT,
    client_id=TEXT,
    audience=st.just("https://api.example"),
    issued_at=st.integers(0, 1000),
    expires_at=st.integers(1001, 2000),
    jti=TEXT,
    scope=st.frozensets(st.sampled_from(["a", "b:c"]), min_size=1),
    authorization_details=st.sampled_from([(), (CdmsStudy("S.1", frozenset({"1"})),)]),
    credential_id=st.none() | TEXT,
    confirmation=st.none() | st.just({"jkt": "x"}),
)


def read(claims, now=1000):
    return access_token.read_claims(claims, issuer="https://auth.example", audience="https://api.example", now=now)


@given(TOKENS)
def test_a_token_comes_back_as_it_was_written(token: AccessToken):
    claims = access_token.write_claims(token)
    assert read(claims) == token
    assert isinstance(claims["aud"], str)
    assert isinstance(claims["scope"], str)


GOOD = access_token.write_claims(
    AccessToken("https://auth.example", "s", "c", "https://api.example", 1000, 1300, "j", frozenset({"a"}), ())
)


def test_each_date_at_its_boundary():
    """RFC 7519 §4.1.4, §4.1.5, §4.1.6, RFC 9068 §4: `exp` itself is too late; a fast clock has 30 seconds."""
    assert read(GOOD, now=1299)
    with pytest.raises(InvalidToken):
        read(GOOD, now=1300)
    assert read(GOOD, now=970)
    with pytest.raises(InvalidToken):
        read(GOOD, now=969)
    assert read({**GOOD, "nbf": 1030})
    with pytest.raises(InvalidToken):
        read({**GOOD, "nbf": 1031})


def test_every_required_claim_is_written():
    """RFC 9068 §2.2, §2.2.3, RFC 9396 §9.1."""
    assert set(GOOD) == {
        *("iss", "exp", "aud", "sub", "client_id", "iat", "jti"),
        *("scope", "authorization_details"),
    }


@pytest.mark.parametrize(
    "change",
    [
        {"iss": "https://evil.example"},
        {"iss": "https://auth.example/"},
        {"iss": "https://AUTH.example"},
        {"aud": "https://other.example"},
        {"aud": "https://api.example/"},
        {"aud": ["https://api.example", "https://other.example"]},
    ],
)
def test_another_issuers_or_another_resources_token_is_refused(change: dict[str, object]):
    """RFC 9068 §4, RFC 7519 §4.1.1, §4.1.3, §7.3, RFC 8725 §3.8, §3.9, RFC 9700 §2.3: byte for byte."""
    with pytest.raises(InvalidToken):
        read({**GOOD, **change})


def test_missing_details_permit_nothing():
    """A missing claim never means all."""
    claims = {name: value for name, value in GOOD.items() if name != "authorization_details"}
    assert read(claims).authorization_details == ()


@pytest.mark.parametrize("name", ["iss", "sub", "client_id", "aud", "iat", "exp", "jti", "scope"])
@pytest.mark.parametrize("value", [None, "", 1.5, True, [], {}, "x" * 5000])
def test_a_missing_or_malformed_claim_is_refused(name: str, value: object):
    """RFC 9068 §2.2, RFC 7519 §4.1.2, §4.1.7: each of these is required."""
    if name == "iat" and value == 1.5:
        assert read({**GOOD, name: value}).issued_at == 1  # RFC 7519 §2: a NumericDate may have a fraction
        return
    with pytest.raises(InvalidToken) as refused:
        read({**GOOD, name: value})
    assert refused.value.description == InvalidToken().description


@given(
    st.dictionaries(
        st.sampled_from([*GOOD, "nbf", "cnf", "credential_id"]),
        st.none()
        | st.integers()
        | st.floats()
        | st.text()
        | st.lists(st.integers())
        | st.dictionaries(st.text(), st.integers()),
        max_size=5,
    )
)
def test_any_claims_are_a_token_or_refused(changes: dict[str, object]):
    try:
        assert read({**GOOD, **changes}).issuer == "https://auth.example"
    except InvalidToken:
        assert changes
