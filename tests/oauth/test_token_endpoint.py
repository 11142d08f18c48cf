"""keyfob.oauth.token_endpoint: RFC 6749 §4.4 and §5, both ways."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth import form, token_endpoint
from keyfob.oauth.authorization_details import CdmsStudy
from keyfob.oauth.errors import (
    InvalidAuthorizationDetails,
    InvalidClient,
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    TooManyRequests,
    UnsupportedGrantType,
)
from keyfob.oauth.token_endpoint import IssuedToken, MalformedResponse, TokenRefused
from keyfob.secret import Secret

JSON = [(b"content-type", b"application/json; charset=utf-8")]
SCOPES = st.none() | st.frozensets(st.sampled_from(["a:read", "b:write", "c"]), min_size=1)
DETAILS = st.none() | st.just((CdmsStudy("S.1", frozenset({"701"})),))
ISSUED = IssuedToken(Secret("e.y.J"), 300, frozenset({"b", "a"}), (CdmsStudy("S.1"),), "jti", "https://api.example")
GOOD = {"access_token": "t", "token_type": "Bearer", "expires_in": 300, "scope": "a"}


@given(SCOPES, st.none() | st.just("https://api.example"), DETAILS)
def test_a_request_comes_back_as_it_was_written(scope, resource, details):
    written = token_endpoint.write_request(scope=scope, resource=resource, authorization_details=details)
    body = form.parse("application/x-www-form-urlencoded", form.write(written))
    request = token_endpoint.read_request(body)
    assert (request.scope, request.resource, request.authorization_details) == (scope, resource, details)


@pytest.mark.parametrize(
    ("parameters", "error"),
    [
        ({}, InvalidRequest),
        ({"grant_type": "authorization_code"}, UnsupportedGrantType),
        ({"grant_type": "password"}, UnsupportedGrantType),
        ({"grant_type": "refresh_token"}, UnsupportedGrantType),
        ({"grant_type": "CLIENT_CREDENTIALS"}, UnsupportedGrantType),
        ({"grant_type": "client_credentials", "scope": "a  b"}, InvalidScope),
        ({"grant_type": "client_credentials", "resource": "http://evil.example"}, InvalidTarget),
        ({"grant_type": "client_credentials", "authorization_details": "[]"}, InvalidAuthorizationDetails),
    ],
)
def test_each_refusal_has_its_code(parameters, error):
    """RFC 6749 §4.4.2, §5.2, RFC 9700 §2.4."""
    with pytest.raises(error):
        token_endpoint.read_request(parameters)


def test_unknown_parameters_are_ignored():
    """RFC 6749 §3.2."""
    assert token_endpoint.read_request({"grant_type": "client_credentials", "x": "y"}).scope is None


def test_a_token_response_is_never_cached_and_states_its_scope():
    """RFC 6749 §5.1, §3.3, RFC 6750 §4, RFC 9396 §7."""
    response = token_endpoint.write_response(ISSUED)
    assert response.status == 200
    assert dict(response.headers) == {
        b"content-type": b"application/json",
        b"cache-control": b"no-store",
        b"pragma": b"no-cache",
    }
    assert json.loads(response.body) == {
        "access_token": "e.y.J",
        "token_type": "Bearer",
        "expires_in": 300,
        "scope": "a b",
        "authorization_details": [{"type": "cdms_study", "identifier": "S.1"}],
    }
    received = token_endpoint.read_response(response.status, response.headers, response.body, asked=None)
    assert received.access_token == ISSUED.access_token
    assert (received.lifetime, received.scope) == (300, ISSUED.scope)
    assert received.authorization_details == ISSUED.authorization_details


def test_a_refusal_says_how_to_authenticate_and_keeps_its_reason_to_itself():
    """RFC 6749 §5.2, RFC 9110 §15.5.2."""
    response = token_endpoint.write_error(InvalidClient(detail="the secret has expired"), error_id="e1")
    assert response.status == 401
    assert dict(response.headers)[b"www-authenticate"].startswith(b"Basic realm=")
    assert dict(response.headers)[b"cache-control"] == b"no-store"
    assert b"expired" not in response.body
    with pytest.raises(TokenRefused) as refused:
        token_endpoint.read_response(401, response.headers, response.body, asked=None)
    assert (refused.value.code, refused.value.status, refused.value.error_id) == ("invalid_client", 401, "e1")
    assert b"www-authenticate" not in dict(token_endpoint.write_error(InvalidScope("x"), error_id="e").headers)


@pytest.mark.parametrize(
    "document",
    [
        [],
        {},
        {**GOOD, "access_token": ""},
        {**GOOD, "access_token": "a\nb"},
        {**GOOD, "access_token": 1},
        {**GOOD, "token_type": "mac"},
        {**GOOD, "token_type": None},
        {**GOOD, "expires_in": "300"},
        {**GOOD, "expires_in": 0},
        {**GOOD, "expires_in": True},
        {**GOOD, "expires_in": 10**9},
        {**GOOD, "scope": ["a"]},
        {**GOOD, "scope": "a  b"},
        {**GOOD, "scope": "a more"},
        {**GOOD, "authorization_details": {}},
    ],
)
def test_an_answer_that_is_no_token_is_malformed(document):
    """RFC 6749 §5.1, §7.1: what is required is there, and a token of an unknown type is not used."""
    with pytest.raises(MalformedResponse):
        token_endpoint.read_response(200, JSON, json.dumps(document).encode(), asked=frozenset({"a"}))


def test_a_missing_scope_means_the_one_that_was_asked_for():
    """RFC 6749 §5.1: optional if identical to the scope requested; otherwise required."""
    body = json.dumps({k: v for k, v in GOOD.items() if k != "scope"}).encode()
    assert token_endpoint.read_response(200, JSON, body, asked=frozenset({"a"})).scope == {"a"}
    with pytest.raises(MalformedResponse):
        token_endpoint.read_response(200, JSON, body, asked=None)


def test_what_the_client_does_not_know_it_ignores():
    """RFC 6749 §5.1: names that are not understood, of any kind; the size of a value is not assumed either."""
    body = json.dumps({**GOOD, "access_token": "t" * 9000, "refresh_token": "r", "new": {"a": [1]}}).encode()
    assert token_endpoint.read_response(200, JSON, body, asked=None).access_token == Secret("t" * 9000)


def test_an_error_is_no_token_whatever_it_holds():
    """RFC 6749 §5.1, §5.2: a token comes with 200 alone."""
    for status in (201, 400, 401, 500):
        with pytest.raises((TokenRefused, MalformedResponse)):
            token_endpoint.read_response(status, JSON, json.dumps(GOOD).encode(), asked=None)


def test_no_refresh_token_comes_with_a_token():
    """RFC 6749 §4.4.3, RFC 9700 §4.14."""
    assert "refresh_token" not in json.loads(token_endpoint.write_response(ISSUED).body)


def test_whoever_asks_too_often_is_told_when_to_come_again():
    """RFC 6585 §4, RFC 9110 §10.2.3."""
    response = token_endpoint.write_error(TooManyRequests(7), error_id="e")
    assert (response.status, dict(response.headers)[b"retry-after"]) == (429, b"7")


def test_a_proxys_page_is_malformed_and_a_busy_server_is_told_apart():
    """RFC 6749 §5.1: a token comes as JSON."""
    html = [(b"content-type", b"text/html"), (b"retry-after", b"7")]
    with pytest.raises(MalformedResponse):
        token_endpoint.read_response(404, html, b"<html>", asked=None)
    with pytest.raises(MalformedResponse):
        token_endpoint.read_response(200, html, json.dumps(GOOD).encode(), asked=None)
    for status in (429, 502, 503):
        with pytest.raises(TokenRefused) as refused:
            token_endpoint.read_response(status, html, b"<html>", asked=None)
        assert (refused.value.code, refused.value.retry_after) == ("temporarily_unavailable", 7)


def test_a_hostile_servers_words_are_not_shown():
    body = json.dumps({"error": "invalid_client", "error_description": "\x1b[2J", "error_id": "\n"}).encode()
    with pytest.raises(TokenRefused) as refused:
        token_endpoint.read_response(401, JSON, body, asked=None)
    assert (refused.value.description, refused.value.error_id) == ("", None)


@given(
    st.integers(100, 599),
    st.binary(max_size=200)
    | st.dictionaries(st.sampled_from([*GOOD, "error"]), st.none() | st.text() | st.integers()).map(
        lambda d: json.dumps(d).encode()
    ),
)
def test_any_answer_is_a_token_or_one_of_two_errors(status: int, body: bytes):
    with contextlib.suppress(TokenRefused, MalformedResponse):
        token_endpoint.read_response(status, JSON, body, asked=None)
