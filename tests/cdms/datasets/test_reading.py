"""keyfob.cdms.datasets: whatever comes is read or refused in words, and what is written is read again as it was."""

import contextlib
import json
import zlib
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from keyfob.cdms.datasets import reading, writing
from keyfob.cdms.datasets.checking import canonical
from keyfob.cdms.datasets.reading import Number
from keyfob.cdms.datasets.writing import Described, PlacedRow
from keyfob.cdms.odm.datasets import Column, Dataset, Source
from keyfob.cdms.odm.model import GroupData, ItemValue, OdmError

COLUMNS = (
    Column("I.S", "S", "Subject", "string", Source.SUBJECT, "I.S", key_sequence=1),
    Column("I.T", "T", "Text", "string", Source.ITEM, "I.T", length=9),
    Column("I.N", "N", "Number", "float", Source.ITEM, "I.N", display_format="8.3"),
    Column("I.B", "B", "Flag", "boolean", Source.ITEM, "I.B"),
    Column("I.D", "D", "Exact", "decimal", Source.ITEM, "I.D", target_data_type="decimal"),
)
DESCRIBED = Described(
    created=2_000_000_000, modified=1_999_999_999, file_oid="F", study="S.1", version="V", metadata_url="https://x/",
    source_version="1", records=1, dataset=Dataset("IG", "IG", "Group", True, False, COLUMNS, ("F",)), columns=COLUMNS,
)  # fmt: skip
PLACE = GroupData("E", None, "F", None, "IG", None, None, ())
TEXTS = st.text(st.characters(blacklist_categories=["Cs"]), max_size=20)
NUMBERS = st.from_regex(r"-?(0|[1-9][0-9]{0,8})(\.[0-9]{1,6})?", fullmatch=True)


def row(subject, **values):
    return PlacedRow(subject, None, PLACE, {f"I.{name}": ItemValue(f"I.{name}", text) for name, text in values.items()})


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(TEXTS, TEXTS, NUMBERS, st.booleans()), max_size=4), st.sampled_from(["json", "lines", "dsjc"])
)
def test_what_is_written_is_read_as_it_was(cells, form):
    rows = [row(s, T=t, N=n, B="true" if b else "false", D=n) for s, t, n, b in cells]
    write = writing.write_json if form == "json" else writing.write_lines
    pieces = write(replace(DESCRIBED, records=len(rows)), rows, COLUMNS)
    if form == "dsjc":
        pieces = writing.compressed(pieces)
    body = b"".join(pieces)
    found = reading.read_file(body) if rows else reading.read(body, reading.MEDIA_TYPES[KINDS[form]], max_bytes=10**6)
    assert found.rows == [[s, t, n, b, n] for s, t, n, b in cells]
    assert all(type(cell[2]) is Number and type(cell[4]) is str for cell in found.rows)
    assert found.records == len(rows)
    assert [(one.oid, one.name, one.data_type, one.length, one.key_sequence) for one in found.columns] == [
        (one.oid, one.name, one.data_type, one.length, one.key_sequence) for one in COLUMNS
    ]


KINDS = {"json": "application/json", "lines": "application/x-ndjson", "dsjc": "application/gzip"}
JSON_LIKE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["rows", "columns", "records", "datasetJSONVersion", "itemGroupOID", "x"]), inner
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(
    st.one_of(
        st.binary(max_size=60),
        JSON_LIKE.map(lambda value: json.dumps(value).encode()),
        JSON_LIKE.map(lambda value: zlib.compress(json.dumps(value).encode())),
    ),
    st.sampled_from(list(KINDS.values())),
)
def test_whatever_comes_is_read_or_refused_in_words(body, kind):
    with contextlib.suppress(OdmError):
        reading.read(body, reading.MEDIA_TYPES[kind], max_bytes=1000)


def test_a_nested_document_does_not_exhaust_the_stack():
    for body in (b"[" * 1_000_000, b'{"rows": ' * 100_000):
        with pytest.raises(OdmError):
            reading.read(body, reading.JSON, max_bytes=10**9)


@pytest.mark.parametrize(
    ("number", "key"),
    [("1", "1"), ("1.0", "1"), ("-0.0", "0"), ("100", "100"), ("1.30", "1.3"), ("1e2", "100"), ("0.001", "0.001")],
)
def test_one_number_is_one_key(number, key):
    assert canonical(number) == key


def test_a_number_of_odm_is_written_as_json_writes_it():
    body = b"".join(writing.write_json(None, [row("s", N=n) for n in (".94", "+1", "-.5", "1.", "x")], COLUMNS))
    assert [cells[2] for cells in json.loads(body, parse_float=str)["rows"]] == ["0.94", 1, "-0.5", 1, "x"]
