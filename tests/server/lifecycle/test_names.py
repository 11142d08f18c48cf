"""Names and addresses come back in tables and mails: they are plain, or refused."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.problem import Misuse
from keyfob.server.lifecycle.names import check_email, check_name, near_miss


@pytest.mark.parametrize("name", ["Acme", "Acme CRO (Basel)", "Łódź", "x" * 100])
def test_a_plain_name_is_taken(name):
    assert check_name(name, of="partner") == name


@pytest.mark.parametrize("name", ["", " ", " a", "a ", "a\nb", "a\x1b[31mb", "x" * 101, "a\u202eb"])
def test_any_other_name_is_refused(name):
    with pytest.raises(Misuse):
        check_name(name, of="partner")


@pytest.mark.parametrize("address", ["a@b.example", "data+x@sub.partner.example"])
def test_an_address_is_taken(address):
    assert check_email(address) == address


@pytest.mark.parametrize(
    "address", ["", "a", "a@", "@b.example", "a@b", "a b@c.example", "a@b@c.example", "<a@b.example>", "a@b.example\n"]
)
def test_any_other_address_is_refused(address):
    with pytest.raises(Misuse):
        check_email(address)


@given(st.text(max_size=40))
def test_checking_raises_nothing_but_misuse(text):
    for check in (check_email, lambda value: check_name(value, of="client")):
        try:
            assert check(text).isprintable()
        except Misuse:
            continue


def test_a_near_miss_is_named_else_what_there_is():
    assert near_miss("studies:raed", ["studies:read", "x"]) == "did you mean studies:read?"
    assert near_miss("zzz", ["b", "a"]) == "known: a, b"
    assert near_miss("zzz", []) == "there is none yet"
