"""keyfob.jose.compact: one spelling of each content, and JSON that is read sooner is read no less strictly."""

import base64
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.jose.compact import decode, decode_json, encode
from keyfob.oauth import strict_json


@given(st.binary(max_size=80))
def test_what_is_encoded_is_decoded_and_as_everybody_does(content: bytes):
    """RFC 7515 §2."""
    assert encode(content) == base64.urlsafe_b64encode(content).rstrip(b"=")
    assert decode(encode(content)) == content


@given(st.binary(max_size=40) | st.text(alphabet="AQgwEIBC_-+/= \n.", max_size=12).map(str.encode))
def test_a_content_has_one_spelling(text: bytes):
    """RFC 4648 §3.5, §5: no padding, no other alphabet, no bits that are nobody's."""
    spellings = set()
    if re.fullmatch(rb"[A-Za-z0-9_-]*", text) and len(text) % 4 != 1:
        spellings.add(encode(base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))))
    if text in spellings:
        assert encode(decode(text)) == text
    else:
        with pytest.raises(ValueError):
            decode(text)


@pytest.mark.parametrize("text", [b"QQ==", b"Q", b"QR", b"QQF", b"Q+", b"Q/", b"Q Q", b"QQQ\n", b"\xff\xff", b"QQQQ="])
def test_other_spellings_are_refused(text: bytes):
    with pytest.raises(ValueError):
        decode(text)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)
ODD = st.sampled_from(
    [b'{"a":1,"a":2}', b'{"a":NaN}', b'{"a":1e999}', b'"\\ud800"', b'{"a":1}x', b" 1", b"\xff", b"[" * 40, b"1.0",
     b"-0", b"[" * 31 + b"]" * 31, b"[" * 33 + b"]" * 33, b'{"a":"\\u0061"}', b"1E2", b"01",
     b'{"a" :1}', b"\xef\xbb\xbf1"]
)  # fmt: skip


@given(JSON.map(lambda value: json.dumps(value, separators=(",", ":")).encode()) | ODD | st.binary(max_size=20))
def test_the_quick_way_reads_what_the_strict_way_reads(document: bytes):
    """RFC 8725 §3: the same value of the same type, or the same refusal."""
    try:
        wanted = strict_json.parse(document)
    except ValueError:
        with pytest.raises(ValueError):
            decode_json(document)
        return
    assert repr(decode_json(document)) == repr(wanted)
