"""Dataset-JSON 1.1 documents out of rows, streamed, their attributes in the order of the specification.

Values leave as they were kept: a number that was sent as 39.0 is written so.
"""

import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from json.encoder import encode_basestring

from keyfob.cdms.odm.datasets import NUMBERS, TEXTS, Column, Dataset, Source
from keyfob.cdms.odm.model import GroupData, ItemValue

VERSION = "1.1.0"
_JSON_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_ROWS_AT_ONCE = 500


@dataclass(frozen=True, slots=True)
class Described:
    """What stands in a document besides its rows. `records` is how many rows there are, here or in all."""

    created: int
    modified: int
    file_oid: str
    study: str
    version: str
    metadata_url: str
    source_version: str
    records: int
    dataset: Dataset
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class PlacedRow:
    """An item group and whose it is."""

    subject: str
    site: str | None
    data: GroupData
    items: Mapping[str, ItemValue]


def write_json(
    described: Described | None, rows: Iterable[PlacedRow] | None, columns: Sequence[Column]
) -> Iterator[bytes]:
    """One document; without what describes it, or without its rows, where that is None."""
    attributes = [] if described is None else [
        f"{json.dumps(name)}:{_dumps(value)}" for name, value in _metadata(described).items()
    ]  # fmt: skip
    yield ("{" + ",".join(attributes)).encode()
    if rows is not None:
        yield (',"rows":[' if attributes else '"rows":[').encode()
        for place, row in enumerate(_written(rows, columns)):
            yield row if place == 0 else b"," + row
        yield b"]"
    yield b"}"


def write_lines(
    described: Described | None, rows: Iterable[PlacedRow] | None, columns: Sequence[Column]
) -> Iterator[bytes]:
    """The same as NDJSON."""
    if described is not None:
        yield (_dumps(_metadata(described)) + "\n").encode()
    for row in _written(rows or (), columns):
        yield row + b"\n"


def gathered(pieces: Iterable[bytes], *, at_least: int = 1 << 16) -> Iterator[bytes]:
    """The same in fewer pieces: each is sent by itself."""
    waiting, size = [], 0
    for piece in pieces:
        waiting.append(piece)
        size += len(piece)
        if size >= at_least:
            yield b"".join(waiting)
            waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def compressed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """As a zlib stream: a `.dsjc` file."""
    engine = zlib.compressobj()
    for piece in pieces:
        if part := engine.compress(piece):
            yield part
    yield engine.flush()


def write_instant(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _dumps(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _metadata(described: Described) -> dict[str, object]:
    dataset = described.dataset
    return {
        "datasetJSONCreationDateTime": write_instant(described.created),
        "datasetJSONVersion": VERSION,
        "fileOID": described.file_oid,
        "dbLastModifiedDateTime": write_instant(described.modified),
        "sourceSystem": {"name": "Keyfob CDMS", "version": described.source_version},
        "studyOID": described.study,
        "metaDataVersionOID": described.version,
        "metaDataRef": described.metadata_url,
        "itemGroupOID": dataset.oid,
        "records": described.records,
        "name": dataset.name,
        "label": dataset.label,
        "columns": [_column(column) for column in described.columns],
    }


def _column(column: Column) -> dict[str, object]:
    written = {
        "itemOID": column.oid,
        "name": column.name,
        "label": column.label,
        "dataType": column.data_type,
        "targetDataType": column.target_data_type,
        "length": column.length,
        "displayFormat": column.display_format,
        "keySequence": column.key_sequence,
    }
    return {name: value for name, value in written.items() if value is not None}


def _written(rows: Iterable[PlacedRow], columns: Sequence[Column]) -> Iterator[bytes]:
    for row in rows:
        yield ("[" + ",".join([_cell(row, column) for column in columns]) + "]").encode()


def _cell(row: PlacedRow, column: Column) -> str:
    if column.source is Source.ITEM:
        item = row.items.get(column.item)
        value = None if item is None else item.value
        if value is None:
            return '""' if column.data_type in TEXTS else "null"
        if column.data_type in NUMBERS:
            return value if _JSON_NUMBER.fullmatch(value) else _number(value)
        if column.data_type == "boolean":
            return "true" if value in ("true", "1") else "false"
        return encode_basestring(value)
    return encode_basestring(_of_place(row, column) or "")


def _of_place(row: PlacedRow, column: Column) -> str | None:
    data = row.data
    if column.source is Source.UNIT:
        item = row.items.get(column.item)
        return None if item is None else item.unit
    return {
        Source.SUBJECT: row.subject,
        Source.SITE: row.site,
        Source.EVENT: data.event,
        Source.EVENT_REPEAT: data.event_repeat,
        Source.FORM: data.form,
        Source.FORM_REPEAT: data.form_repeat,
        Source.GROUP_REPEAT: data.group_repeat,
    }[column.source]


def _number(value: str) -> str:
    """ODM's numbers as JSON writes them: `.94` is 0.94. What a former design let through as a text stays one."""
    try:
        number = Decimal(value)
    except InvalidOperation:
        return encode_basestring(value)
    return f"{number:f}" if number.is_finite() else encode_basestring(value)
