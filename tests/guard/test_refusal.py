"""keyfob.guard.refusal: RFC 6750 §3, RFC 9728 §5.1."""

import json

import pytest

from keyfob.guard.errors import IssuerUnavailable, MissingToken, RefusedNonce, RefusedProof
from keyfob.guard.refusal import refusal
from keyfob.oauth.errors import InsufficientScope, InvalidRequest, InvalidToken

METADATA = "https://api.example/.well-known/oauth-protected-resource"


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (InvalidRequest("x"), 400, b'error="invalid_request"'),
        (InvalidToken(), 401, b'error="invalid_token"'),
        (InsufficientScope("a:read"), 403, b'error="insufficient_scope"'),
    ],
)
def test_each_refusal_of_a_token_has_a_challenge_with_its_code(error, status, code):
    """RFC 6750 §3, §3.1, RFC 9728 §5.1, RFC 9110 §15.5.2: and is kept by nobody."""
    answer = refusal(error, resource_metadata=METADATA)
    headers = dict(answer.headers)
    assert answer.status == status
    assert headers[b"www-authenticate"].startswith(b"Bearer " + code)
    assert f'resource_metadata="{METADATA}"'.encode() in headers[b"www-authenticate"]
    assert headers[b"cache-control"] == b"no-store"


def test_too_little_scope_is_told_which_is_needed():
    """RFC 6750 §3.1."""
    answer = refusal(InsufficientScope("a:read"))
    assert b'scope="a:read"' in dict(answer.headers)[b"www-authenticate"]
    assert json.loads(answer.body)["scope"] == "a:read"


@pytest.mark.parametrize(
    "error",
    [MissingToken(), InvalidRequest("x"), InvalidToken(), RefusedProof(), RefusedNonce("n"), IssuerUnavailable()],
)
def test_every_refusal_says_in_a_header_which_scope_the_route_wants(error):
    headers = dict(refusal(error, scope="a:read b:read").headers)
    assert headers[b"keyfob-scope-needed"] == b"a:read b:read"
    assert (b"dpop-nonce" in headers) is isinstance(error, RefusedNonce)
    assert b"keyfob-scope-needed" not in dict(refusal(error).headers)
    assert dict(refusal(InsufficientScope("c:read")).headers)[b"keyfob-scope-needed"] == b"c:read"


def test_who_sent_no_token_is_told_of_no_error():
    """RFC 6750 §3.1: nothing but how to come in; RFC 6750 §3: and that in at least one parameter."""
    for metadata in (METADATA, None):
        challenge = dict(refusal(MissingToken(), resource_metadata=metadata).headers)[b"www-authenticate"]
        assert b"error" not in challenge
        assert challenge.startswith(b"Bearer ") and b'="' in challenge


def test_who_cannot_be_judged_now_is_told_to_come_again():
    """RFC 9110 §10.2.3."""
    answer = refusal(IssuerUnavailable())
    assert (answer.status, dict(answer.headers)[b"retry-after"]) == (503, b"5")
    assert b"www-authenticate" not in dict(answer.headers)
