"""keyfob.oauth.bearer: RFC 6750 §2 and §3."""

import contextlib

from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth import bearer
from keyfob.oauth.errors import InsufficientScope, InvalidRequest, InvalidToken


@given(
    st.from_regex(r"[A-Za-z0-9._~+/-]{1,60}={0,2}", fullmatch=True), st.sampled_from([b"Bearer", b"bearer", b"BEARER"])
)
def test_a_token_in_the_header_is_read(token: str, scheme: bytes):
    read = bearer.read([(b"authorization", scheme + b" " + token.encode())], b"")
    assert read is not None
    assert read.reveal() == token


@given(st.binary(max_size=60), st.binary(max_size=60))
def test_any_request_is_read_or_refused(header: bytes, query: bytes):
    with contextlib.suppress(InvalidRequest):
        bearer.read([(b"authorization", header)], query)


def test_a_challenge_names_what_is_needed():
    """RFC 6750 §3: no error code when no token came; RFC 9728 §5.1: where the resource describes itself."""
    assert bearer.challenge(None, resource_metadata=None) == b"Bearer"
    assert bearer.challenge(InvalidToken(detail="private"), resource_metadata="https://a/m") == (
        b'Bearer error="invalid_token", error_description="the access token is invalid, expired or revoked", '
        b'resource_metadata="https://a/m"'
    )
    assert b'scope="a:read"' in bearer.challenge(InsufficientScope("a:read"), resource_metadata=None, scope="a:read")


@given(st.text(max_size=40))
def test_no_text_can_break_out_of_a_challenge(text: str):
    value = bearer.challenge(InvalidRequest(text), resource_metadata=None)
    assert value.count(b'"') == 4
    assert b"\n" not in value and b"\r" not in value and b"\\" not in value
