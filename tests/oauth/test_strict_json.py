"""keyfob.oauth.strict_json: RFC 8259 with one meaning for every document."""

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth import strict_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_what_json_writes_is_read_as_json_reads_it(value: object):
    document = json.dumps(value)
    assert strict_json.parse(document) == json.loads(document)
    assert strict_json.parse(document.encode()) == json.loads(document)


@given(st.binary(max_size=100) | st.text(max_size=100))
def test_anything_is_read_or_refused_as_a_value_error(document: bytes | str):
    with contextlib.suppress(ValueError):
        strict_json.parse(document)


@pytest.mark.parametrize(
    "document",
    [
        b'{"a": 1, "a": 1}',
        b'{"x": {"a": 1, "\\u0061": 2}}',
        b"NaN",
        b"[Infinity]",
        b"-Infinity",
        b"1e999",
        b"{} {}",
        b"",
        b"\xef\xbb\xbf{}",
        '{"a": 1}'.encode("utf-16"),
        b'"\xff"',
        b"[" * 33 + b"]" * 33,
        b"[" * 100_000,
        b'{"a":' * 50_000,
        b'"\\ud800"',
        b'{"\\uDFFF": 1}',
        b'["\\udc00\\ud800"]',
        '"\ud800"',
    ],
)
def test_a_document_with_two_meanings_is_refused(document: bytes | str):
    """RFC 7515 §4, §5.2, §10.12, RFC 7517 §4, RFC 7519 §4, RFC 8725 §3.7: UTF-8, and each name once."""
    with pytest.raises(ValueError):
        strict_json.parse(document)


def test_a_pair_of_surrogates_is_one_character():
    """RFC 8259 §7; and a backslash that is itself escaped begins none."""
    assert strict_json.parse(b'["\\ud83d\\udd11", "\\\\ud800"]') == ["\U0001f511", "\\ud800"]


def test_brackets_inside_text_are_no_depth():
    assert strict_json.parse(json.dumps(["[" * 100, '\\"[' * 50])) == ["[" * 100, '\\"[' * 50]


def test_a_refusal_quotes_nothing():
    with pytest.raises(ValueError) as refused:
        strict_json.parse('{"client_secret": "kfs_S3cret"')
    assert "kfs_" not in str(refused.value)
