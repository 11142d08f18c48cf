"""keyfob.oauth.form: RFC 6749 §3.2 and appendix B."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth import form
from keyfob.oauth.errors import InvalidRequest

FORM = "application/x-www-form-urlencoded"
TEXT = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), min_size=1, max_size=30)


@given(st.dictionaries(TEXT, TEXT, max_size=8))
def test_what_is_written_is_read_back(parameters: dict[str, str]):
    """RFC 6749 appendix B: any text of Unicode."""
    assert form.parse(FORM, form.write(parameters)) == parameters


@given(st.binary(max_size=200))
def test_any_body_is_read_or_refused(body: bytes):
    with contextlib.suppress(InvalidRequest):
        form.parse(FORM, body)


@pytest.mark.parametrize(
    "content_type", [FORM, FORM + ";charset=UTF-8", FORM + '; charset="utf-8"', "Application/X-WWW-Form-URLEncoded"]
)
def test_the_content_types_that_clients_send(content_type: str):
    """RFC 6749 §4.4.2, appendix B: the charset may be said, and is UTF-8."""
    assert form.parse(content_type, b"a=b") == {"a": "b"}


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "application/json",
        "multipart/form-data; boundary=x",
        FORM + "; charset=utf-16",
        FORM + "x",
        "text/plain",
    ],
)
def test_another_content_type_is_refused(content_type: str | None):
    """RFC 6749 §4.4.2, appendix B."""
    with pytest.raises(InvalidRequest):
        form.parse(content_type, b"a=b")


@pytest.mark.parametrize(
    "body", [b"a=1&a=2", b"a=1&a=1", b"a=1&%61=2", b"a=&a=", b"a=%", b"a=%4", b"a=%zz", b"a=%ff", b"a=%00", b"\xff=a"]
)
def test_a_repeated_or_broken_parameter_is_refused(body: bytes):
    """RFC 6749 §3.2: a parameter must not be included more than once, however it is spelled."""
    with pytest.raises(InvalidRequest):
        form.parse(FORM, body)


def test_a_parameter_without_a_value_is_as_if_left_out():
    """RFC 6749 §3.2."""
    assert form.parse(FORM, b"scope=&a=b&c") == {"a": "b"}


def test_pluses_are_spaces_and_escapes_are_octets():
    """RFC 6749 appendix B."""
    assert form.parse(FORM, b"a=x+y%2Bz&b=%C3%a9%20%3D%26") == {"a": "x y+z", "b": "é =&"}


def test_a_refusal_does_not_repeat_what_may_be_a_secret():
    with pytest.raises(InvalidRequest) as refused:
        form.parse(FORM, b"kfs_S3cret=&kfs_S3cret=")
    assert "kfs_" not in str(refused.value)


def test_too_many_parameters_are_refused():
    with pytest.raises(InvalidRequest):
        form.parse(FORM, b"&".join(b"p%d=1" % n for n in range(65)))


@given(st.text(max_size=60) | st.text('; =charsetuf-8"', max_size=20).map("application/x-www-form-urlencoded".__add__))
def test_any_content_type_is_taken_or_refused(content_type: str):
    with contextlib.suppress(InvalidRequest):
        form.parse(content_type, b"a=b")
