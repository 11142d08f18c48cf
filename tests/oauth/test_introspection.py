"""keyfob.oauth.introspection: RFC 7662."""

import dataclasses
import json

import pytest

from keyfob.oauth import introspection
from keyfob.oauth.access_token import AccessToken
from keyfob.oauth.authorization_details import CdmsStudy
from keyfob.oauth.errors import InvalidRequest
from keyfob.secret import Secret

TOKEN = AccessToken(
    issuer="https://auth.example",
    subject="cl_1",
    client_id="cl_1",
    audience="https://api.example",
    issued_at=1000,
    expires_at=1300,
    jti="j1",
    scope=frozenset({"b", "a"}),
    authorization_details=(CdmsStudy("S.1"),),
    confirmation={"jkt": "x"},
)


def test_a_request_names_a_token_and_the_hint_changes_nothing():
    """RFC 7662 §2.1."""
    assert introspection.read_request({"token": "t"}) == Secret("t")
    assert introspection.read_request({"token": "t", "token_type_hint": "refresh_token"}) == Secret("t")
    with pytest.raises(InvalidRequest):
        introspection.read_request({"token_type_hint": "access_token"})


def test_what_is_active_is_told_whole():
    """RFC 7662 §2.2, RFC 9396 §9.2: a token's details with it, and the key that it is bound to (RFC 9449 §6.2)."""
    unbound = json.loads(introspection.write_response(dataclasses.replace(TOKEN, confirmation=None)).body)
    bound = json.loads(introspection.write_response(TOKEN).body)
    assert bound == unbound | {"token_type": "DPoP", "cnf": {"jkt": "x"}}
    assert unbound == {
        "active": True,
        "scope": "a b",
        "client_id": "cl_1",
        "token_type": "Bearer",
        "exp": 1300,
        "iat": 1000,
        "sub": "cl_1",
        "aud": "https://api.example",
        "iss": "https://auth.example",
        "jti": "j1",
        "authorization_details": [{"type": "cdms_study", "identifier": "S.1"}],
    }


def test_what_is_not_active_is_one_word():
    """RFC 7662 §2.2: nothing besides, and never a reason; it is no error (§2.3)."""
    response = introspection.write_response(None)
    assert (response.status, response.body) == (200, b'{"active":false}')


def test_no_answer_is_cached():
    """RFC 7662 §4."""
    for token in (TOKEN, None):
        headers = dict(introspection.write_response(token).headers)
        assert headers == {
            b"content-type": b"application/json",
            b"cache-control": b"no-store",
            b"pragma": b"no-cache",
        }
