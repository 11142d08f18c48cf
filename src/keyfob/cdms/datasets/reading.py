"""A Dataset-JSON 1.1 document, NDJSON or JSON, read strictly. What it says is not yet held against a dataset.

A JSON number is kept as the text that was sent, so that 39.0 stays 39.0; it is a Number, and no other text is.
"""

import json
import zlib
from collections.abc import Mapping
from dataclasses import dataclass

from keyfob.cdms.odm.datasets import DATA_TYPES
from keyfob.cdms.odm.model import OdmError

JSON, NDJSON, DSJC = "application/json", "application/x-ndjson", "application/zlib"
MEDIA_TYPES = {JSON: JSON, NDJSON: NDJSON, "application/ndjson": NDJSON, DSJC: DSJC, "application/gzip": DSJC}
"""What each Content-Type is read as. `.dsjc` has none of its own: by the specification it is zlib (RFC 6713), and the
example that CDISC published is gzip."""
_ZLIB_OR_GZIP = 47
_PIECE = 1 << 16
_VERSION = "1.1"


class Number(str):
    """A JSON number, as it was written."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class SentColumn:
    oid: str
    name: str
    data_type: str
    label: str = ""
    target_data_type: str | None = None
    length: int | None = None
    display_format: str | None = None
    key_sequence: int | None = None


@dataclass(frozen=True, slots=True)
class Transfer:
    """`columns` None: only rows came, in the order of the dataset's columns. `lines`: a row's line is its index + 2."""

    oid: str | None
    name: str
    label: str
    study: str | None
    version: str | None
    file_oid: str
    records: int | None
    columns: tuple[SentColumn, ...] | None
    rows: list[list[object]]
    lines: bool


def read(body: bytes, kind: str, *, max_bytes: int) -> Transfer:
    """The document in `body`; `kind` is one of those in MEDIA_TYPES. Raises OdmError, which quotes no value."""
    if kind == DSJC:
        body = inflate(body, max_bytes=max_bytes)
        kind = NDJSON if _is_lines(body) else JSON
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as broken:
        raise OdmError("not-utf-8", f"byte {broken.start} is no UTF-8") from None
    return _lines(text) if kind == NDJSON else _document(text)


def read_file(body: bytes) -> Transfer:
    """The same of a file that says by its content alone what it is."""
    if body[:1] == b"\x78" or body[:2] == b"\x1f\x8b":
        return read(body, DSJC, max_bytes=1 << 28)
    return read(body, NDJSON if _is_lines(body) else JSON, max_bytes=1 << 28)


def inflate(body: bytes, *, max_bytes: int) -> bytes:
    """What is compressed in `body`, zlib or gzip. Raises OdmError: 413 from the first byte above `max_bytes`."""
    engine = zlib.decompressobj(_ZLIB_OR_GZIP)
    parts, size, waiting = [], 0, body
    try:
        while not engine.eof:
            part = engine.decompress(waiting, _PIECE)
            waiting = engine.unconsumed_tail
            size += len(part)
            # A few kilobytes can unfold to gigabytes: what comes out is counted, not what came.
            if size > max_bytes:
                raise OdmError("too-large", f"the document has more than {max_bytes} bytes unpacked", status=413)
            parts.append(part)
            if not part and not waiting:
                raise OdmError("not-zlib", "the compressed document breaks off")
    except zlib.error:
        raise OdmError("not-zlib", "the document is neither zlib nor gzip") from None
    if engine.unused_data:
        raise OdmError("not-zlib", "something follows the compressed document")
    return b"".join(parts)


def _is_lines(body: bytes) -> bool:
    """Whether the first line is a whole object that has no rows, and rows stand below it."""
    first, _, rest = body.partition(b"\n")
    return first.rstrip().endswith(b"}") and rest.lstrip()[:1] in (b"[", b"") and b'"rows"' not in first


def _document(text: str) -> Transfer:
    document = _decode(text, line=0)
    if not isinstance(document, dict):
        raise OdmError("not-dataset-json", "the document must be a JSON object", where="")
    rows = document.get("rows", [])
    if not isinstance(rows, list):
        raise OdmError("not-dataset-json", "rows must be an array", where="/rows")
    rows = _rows(rows, lines=False)
    # The Dataset-JSON API appends rows alone.
    return _rows_alone(rows) if set(document) == {"rows"} else _described(document, rows, lines=False)


def _lines(text: str) -> Transfer:
    first, *others = text.split("\n")
    if others and not others[-1].strip():
        others.pop()
    metadata = _decode(first, line=1)
    if not isinstance(metadata, dict):
        raise OdmError("not-dataset-json", "the first line must be a JSON object", line=1)
    rows = _rows([_decode(line, line=number) for number, line in enumerate(others, start=2)], lines=True)
    return _described(metadata, rows, lines=True)


def _rows_alone(rows: list[list[object]]) -> Transfer:
    return Transfer(None, "", "", None, None, "", None, None, rows, lines=False)


def _described(document: Mapping[str, object], rows: list[list[object]], *, lines: bool) -> Transfer:
    version = _text(document, "datasetJSONVersion")
    if version is None or version.split(".")[:2] != _VERSION.split("."):
        raise OdmError("dataset-json-version", "datasetJSONVersion must be 1.1", where="/datasetJSONVersion")
    columns = document.get("columns")
    if not isinstance(columns, list):
        raise OdmError("not-dataset-json", "columns must be an array", where="/columns")
    records = document.get("records")
    if not (type(records) is Number and records.isdigit() and len(records) < 10):
        raise OdmError("not-dataset-json", "records must be a whole number", where="/records")
    oid = _text(document, "itemGroupOID")
    if oid is None:
        raise OdmError("not-dataset-json", "itemGroupOID is missing", where="/itemGroupOID")
    return Transfer(
        oid=oid,
        name=_text(document, "name") or oid,
        label=_text(document, "label") or "",
        study=_text(document, "studyOID"),
        version=_text(document, "metaDataVersionOID"),
        file_oid=_text(document, "fileOID") or "",
        records=int(records),
        columns=tuple(_column(column, f"/columns/{place}") for place, column in enumerate(columns)),
        rows=rows,
        lines=lines,
    )


def _column(column: object, where: str) -> SentColumn:
    if not isinstance(column, dict):
        raise OdmError("not-dataset-json", "a column must be an object", where=where)
    oid, name, data_type = (_text(column, member, where) for member in ("itemOID", "name", "dataType"))
    if not oid or not name or data_type not in DATA_TYPES:
        raise OdmError("not-dataset-json", "a column must have itemOID, name and a dataType of 1.1", where=where)
    return SentColumn(
        oid=oid,
        name=name,
        data_type=data_type,
        label=_text(column, "label", where) or "",
        target_data_type=_text(column, "targetDataType", where),
        length=_whole(column, "length", where),
        display_format=_text(column, "displayFormat", where),
        key_sequence=_whole(column, "keySequence", where),
    )


def _text(document: Mapping[str, object], name: str, where: str = "") -> str | None:
    value = document.get(name)
    if value is None:
        return None
    if type(value) is not str or len(value) > 1024:
        raise OdmError("not-dataset-json", f"{name} must be a text", where=f"{where}/{name}")
    return value


def _whole(document: Mapping[str, object], name: str, where: str) -> int | None:
    value = document.get(name)
    if value is None:
        return None
    if not (type(value) is Number and value.isdigit() and 0 < len(value) < 10):
        raise OdmError("not-dataset-json", f"{name} must be a whole number", where=f"{where}/{name}")
    return int(value)


def _rows(found: list[object], *, lines: bool) -> list[list[object]]:
    rows = [row for row in found if isinstance(row, list)]
    if len(rows) != len(found):
        place = next(place for place, row in enumerate(found) if not isinstance(row, list))
        line = place + 2 if lines else 0
        raise OdmError("not-dataset-json", "a row must be an array", where=f"/rows/{place}", line=line)
    return rows


def _decode(text: str, *, line: int) -> object:
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as broken:
        raise OdmError(
            "not-json", f"not JSON: {broken.msg}, column {broken.colno}", line=line or broken.lineno
        ) from None
    except (ValueError, RecursionError) as broken:
        why = "nested too deeply" if isinstance(broken, RecursionError) else str(broken)
        raise OdmError("not-json", f"not JSON: {why}", line=line) from None


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name is repeated in an object")
    return found


def _refuse(_constant: str) -> object:
    raise ValueError("NaN and Infinity are no numbers")


# Made once. Numbers stay texts: neither rounded nor written in another way.
_DECODER = json.JSONDecoder(object_pairs_hook=_once, parse_constant=_refuse, parse_float=Number, parse_int=Number)
