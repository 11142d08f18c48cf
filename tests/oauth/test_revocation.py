"""keyfob.oauth.revocation: RFC 7009."""

import pytest

from keyfob.oauth import revocation
from keyfob.oauth.errors import InvalidRequest
from keyfob.secret import Secret


def test_a_request_names_a_token_and_the_hint_changes_nothing():
    """RFC 7009 §2.1, §2.2."""
    assert revocation.read_request({"token": "t"}) == Secret("t")
    assert revocation.read_request({"token": "t", "token_type_hint": "nonsense"}) == Secret("t")
    with pytest.raises(InvalidRequest):
        revocation.read_request({"token_type_hint": "access_token"})


def test_the_answer_is_an_empty_200():
    """RFC 7009 §2.2."""
    response = revocation.write_response()
    assert (response.status, response.body) == (200, b"")
