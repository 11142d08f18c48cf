"""keyfob.oauth.errors: each refusal's code, status and words."""

import pytest

from keyfob.oauth import authorization_details, bearer, form, resource_indicator, scope, token_endpoint
from keyfob.oauth.errors import (
    InsufficientScope,
    InvalidAuthorizationDetails,
    InvalidClient,
    InvalidRequest,
    InvalidScope,
    InvalidTarget,
    InvalidToken,
    OAuthError,
    TooManyRequests,
    UnauthorizedClient,
    UnsupportedGrantType,
)


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (InvalidRequest("x"), "invalid_request", 400),
        (InvalidClient(), "invalid_client", 401),
        (UnauthorizedClient("x"), "unauthorized_client", 400),
        (UnsupportedGrantType("x"), "unsupported_grant_type", 400),
        (InvalidScope("x"), "invalid_scope", 400),
        (InvalidTarget("x"), "invalid_target", 400),
        (InvalidAuthorizationDetails("x"), "invalid_authorization_details", 400),
        (InvalidToken(), "invalid_token", 401),
        (InsufficientScope("a"), "insufficient_scope", 403),
        (TooManyRequests(1), "too_many_requests", 429),
    ],
)
def test_each_refusal_has_its_code_and_its_status(error: OAuthError, code: str, status: int):
    """RFC 6749 §5.2, RFC 6750 §3.1, RFC 8707 §2, RFC 9396 §5, §8, RFC 6585 §4."""
    assert (error.code, error.status) == (code, status)


ODD = 'a"\\ä\x00\n'


@pytest.mark.parametrize(
    "refused",
    [
        lambda: form.parse(ODD, b""),
        lambda: form.parse("application/x-www-form-urlencoded", b'"=&"='),
        lambda: form.parse("application/x-www-form-urlencoded", b"%"),
        lambda: scope.parse(ODD),
        lambda: scope.parse("a" * 9000),
        lambda: resource_indicator.check(ODD),
        lambda: resource_indicator.check("https://api.example/#"),
        lambda: token_endpoint.read_request({"grant_type": ODD}),
        lambda: token_endpoint.read_request({}),
        lambda: authorization_details.parse(ODD),
        lambda: authorization_details.parse('[{"type": "a\\""}]'),
        lambda: authorization_details.parse('[{"type": "cdms_study", "identifier": "S.1", "ä": 1}]'),
        lambda: authorization_details.parse('[{"type": "cdms_study", "identifier": "S.1", "sites": ["\\n"]}]'),
        lambda: bearer.read([(b"authorization", b'Bearer "')], b""),
    ],
)
def test_a_refusals_words_hold_no_character_that_they_must_not(refused):
    """RFC 6749 §5.2, RFC 6750 §3: visible ASCII and spaces, no quote and no backslash, whatever was sent."""
    with pytest.raises(OAuthError) as told:
        refused()
    for text in (told.value.code, told.value.description):
        assert text
        assert all(" " <= character <= "~" and character not in '"\\' for character in text)
