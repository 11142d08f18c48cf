import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.oauth import scope
from keyfob.oauth.errors import InvalidScope

TOKENS = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E, exclude_characters='"\\'), min_size=1)


@given(st.sets(TOKENS, min_size=1, max_size=20))
def test_what_is_written_is_read_back(tokens):
    """RFC 6749 §3.3."""
    assert scope.parse(scope.write(tokens)) == tokens


def test_order_and_repeats_are_ignored():
    """RFC 6749 §3.3: "their order does not matter"."""
    assert scope.parse("b a b") == scope.parse("a b") == {"a", "b"}


@pytest.mark.parametrize("text", ["", " ", " a", "a ", "a  b", "a\tb", 'a"', "a\\", "é", "a\x00", "a\nb", "x" * 4097])
def test_a_malformed_scope_is_refused(text):
    """RFC 6749 §3.3: one space between visible characters, without quotes and backslashes."""
    with pytest.raises(InvalidScope):
        scope.parse(text)


def test_a_refusal_names_the_position_and_never_the_text():
    with pytest.raises(InvalidScope, match="character 6") as refused:
        scope.parse("good  bad")
    assert "bad" not in refused.value.description


@given(st.text())
def test_any_text_is_read_or_refused_and_never_crashes(text):
    try:
        tokens = scope.parse(text)
    except InvalidScope:
        return
    assert scope.parse(scope.write(tokens)) == tokens
