"""An audit record is read as it was written, by this program and by any JSON reader."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyfob.server.audit import events
from keyfob.server.audit.events import AuditEvent, Kind

fields = st.dictionaries(
    st.text(min_size=1).filter(lambda name: name not in ("kind", "actor")),
    st.none() | st.integers() | st.text(st.characters(exclude_categories=["Cs"])) | st.lists(st.text(max_size=5)),
    max_size=5,
)


@given(st.sampled_from(Kind), st.text(max_size=20), fields)
def test_what_is_written_is_read_back(kind, actor, values):
    try:
        payload = events.write(AuditEvent(kind, actor, values))
    except UnicodeEncodeError:
        return
    assert events.read(payload) == {"kind": kind.value, "actor": actor, **values}
    assert json.loads(payload)["kind"] == kind.value


def test_equal_events_are_equal_bytes():
    one = AuditEvent(Kind.TOKEN_ISSUED, "server", {"b": 1, "a": "é"})
    other = AuditEvent(Kind.TOKEN_ISSUED, "server", {"a": "é", "b": 1})
    assert events.write(one) == events.write(other)


def test_a_kind_of_a_newer_program_is_read():
    assert events.read(b'{"kind":"invented_later","actor":"x"}')["kind"] == "invented_later"


@pytest.mark.parametrize("payload", [b"", b"\xff", b"[]", b"{}", b'{"kind":1}', b"[" * 100_000])
def test_anything_else_is_a_value_error(payload):
    with pytest.raises(ValueError):
        events.read(payload)


@given(st.binary(max_size=60))
def test_reading_raises_nothing_but_value_error(payload):
    try:
        events.read(payload)
    except ValueError:
        return
