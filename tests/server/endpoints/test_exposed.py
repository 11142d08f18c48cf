"""keyfob.server.endpoints.exposed: what in a query has the form of a secret of ours."""

from urllib.parse import quote

from hypothesis import given
from hypothesis import strategies as st

from keyfob import client_secret
from keyfob.client_secret import Prefix
from keyfob.server.endpoints.exposed import MAX_LOOKED_AT, secrets_in

SECRETS = [
    client_secret.make("credential", bytes([n]) * 32, prefix=prefix).reveal() for n in (1, 2) for prefix in Prefix
]


def found(query: str) -> list[str]:
    return [one.reveal() for one in secrets_in(query.encode())]


def test_each_kind_is_found_however_it_is_written_and_once():
    for secret in SECRETS:
        encoded = "".join(f"%{ord(character):02X}" for character in secret)
        assert found(f"a=b&client_secret={secret}&x={encoded}") == [secret]
        assert found(encoded) == [secret]


def test_one_request_is_worth_a_bounded_look():
    assert found("&".join(SECRETS)) == SECRETS[:MAX_LOOKED_AT]


@given(st.text(max_size=200))
def test_what_has_not_the_form_costs_nothing(text):
    assert found(quote(text)) == []
