"""keyfob.server.endpoints.request: what an endpoint is given."""

import pytest

from keyfob.oauth.errors import InvalidRequest
from keyfob.server.endpoints.request import Request

FORM = (b"content-type", b"application/x-www-form-urlencoded")


def request(query: bytes = b"", *headers: tuple[bytes, bytes]) -> Request:
    return Request("POST", (FORM, *headers), query, b"a=b", address="192.0.2.1", id="1")


def test_parameters_come_in_the_body_and_never_in_the_url():
    """RFC 6749 §2.3.1, §3.2: a URL is logged, and what was in it counts as exposed."""
    assert request().form() == {"a": "b"}
    for query in (b"client_secret=x", b"c=d", b"a=b", b"x"):
        with pytest.raises(InvalidRequest):
            request(query).form()


def test_a_repeated_content_type_is_none():
    """RFC 9110 §5.3."""
    with pytest.raises(InvalidRequest):
        request(b"", FORM).form()
