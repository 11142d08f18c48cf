"""keyfob.oauth.bearer: RFC 6750 §2 and §3."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth import bearer
from keyfob.oauth.errors import InsufficientScope, InvalidRequest, InvalidToken


@given(
    st.from_regex(r"[A-Za-z0-9._~+/-]{1,60}={0,2}", fullmatch=True), st.sampled_from([b"Bearer", b"bearer", b"BEARER"])
)
def test_a_token_in_the_header_is_read(token: str, scheme: bytes):
    """RFC 6750 §2.1, RFC 9110 §11.1: the scheme's case does not matter."""
    read = bearer.read([(b"authorization", scheme + b" " + token.encode())], b"")
    assert read is not None
    assert read.reveal() == token


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_request_is_read_or_refused(header: bytes, query: bytes):
    with contextlib.suppress(InvalidRequest):
        bearer.read([(b"authorization", header)], query)


@pytest.mark.parametrize("header", [b"Bearer", b"Bearer ", b"Bearer a b", b"Bearer a,b", b"Bearer \xff", b'Bearer "a"'])
def test_what_is_no_b64token_is_refused(header: bytes):
    """RFC 6750 §2.1."""
    with pytest.raises(InvalidRequest):
        bearer.read([(b"authorization", header)], b"")


def test_one_token_a_request_and_never_in_the_url():
    """RFC 6750 §2, §2.3, §5.3, RFC 9700 §4.3.2: a URL is logged, and what was in it counts as exposed."""
    header = (b"authorization", b"Bearer abc")
    with pytest.raises(InvalidRequest):
        bearer.read([header, header], b"")
    for query in (b"access_token=abc", b"a=b&Access_Token=abc", b"%61ccess_token=abc", b"access_token="):
        for headers in ([], [header]):
            with pytest.raises(InvalidRequest):
                bearer.read(headers, query)


def test_a_challenge_names_what_is_needed():
    """RFC 6750 §3, §3.1: at least one parameter, and no error code when no token came.

    RFC 9728 §5.1: where the resource describes itself.
    """
    assert bearer.challenge(None, resource_metadata=None) == b'Bearer realm="api"'
    assert bearer.challenge(InvalidToken(detail="private"), resource_metadata="https://a/m") == (
        b'Bearer error="invalid_token", error_description="the access token is invalid, expired or revoked", '
        b'resource_metadata="https://a/m"'
    )
    assert b'scope="a:read"' in bearer.challenge(InsufficientScope("a:read"), resource_metadata=None, scope="a:read")


@given(st.text(max_size=40))
def test_no_text_can_break_out_of_a_challenge(text: str):
    """RFC 6750 §3: neither quotes nor backslashes, and nothing invisible."""
    value = bearer.challenge(InvalidRequest(text), resource_metadata=None)
    assert value.count(b'"') == 4
    assert b"\n" not in value and b"\r" not in value and b"\\" not in value
