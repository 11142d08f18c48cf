"""The rows of a transfer against their dataset and the study's design. Pure; a message holds no value that was sent.

The whole transfer is looked at, so that one round shows every mistake. What is in a column is mostly the same few
values: each is checked once.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from keyfob.cdms.datasets.reading import Number, Transfer
from keyfob.cdms.odm import checking, datasets
from keyfob.cdms.odm.checking import Findings
from keyfob.cdms.odm.datasets import NUMBERS, Column, Dataset, Source
from keyfob.cdms.odm.datatypes import is_text
from keyfob.cdms.odm.model import Design, Finding, ItemValue

REASON_OID = "keyfob.reason"
"""The itemOID of a column that says of each row why it changes what is there; it is no column of the dataset."""
_MAX_REPEAT = 256
_MAX_DIGITS = 100

Place = tuple[str, str | None, str | None]
"""Event, its repeat key, and the item group's repeat key: where a row stands below its subject."""


@dataclass(frozen=True, slots=True)
class Row:
    """`index` counts from 0. `soft_checks`, by item, are stored with the row."""

    index: int
    subject: str
    place: Place
    items: tuple[ItemValue, ...]
    reason: str | None
    soft_checks: Mapping[str, list[str]]


@dataclass(slots=True)
class Checked:
    """`refused`: the indexes of rows with an error. `items`: those that have a column, with a value or without.

    Without `items` an error in the columns kept every row from being read.
    """

    rows: list[Row] = field(default_factory=list)
    found: Findings = field(default_factory=Findings)
    refused: set[int] = field(default_factory=set)
    items: frozenset[str] = frozenset()

    def refuse(self, index: int, finding: Finding) -> None:
        self.refused.add(index)
        self.found.errors.append(finding)


def pointer(index: int, column: int | None = None) -> str:
    """RFC 6901."""
    return f"/rows/{index}" if column is None else f"/rows/{index}/{column}"


def line_of(transfer: Transfer, index: int) -> int:
    return index + 2 if transfer.lines else 0


def canonical(number: str) -> str:
    """One text for one number: the key 1 is the key 1.0."""
    value = Decimal(number)
    return f"{value.normalize():f}" if value else "0"


def check(design: Design, dataset: Dataset, transfer: Transfer) -> Checked:
    """Every row that can be stored, and what speaks against the others."""
    checked = Checked()
    columns = _match(dataset, transfer, checked.found)
    if columns is None:
        return checked
    checked.items = frozenset(column.item for column in columns if column.source is Source.ITEM and column.item)
    reader = _RowReader(design, dataset, columns)
    seen: set[object] = set()
    for index, cells in enumerate(transfer.rows):
        line = line_of(transfer, index)
        row = reader.read(index, cells, line, checked)
        if row is None:
            continue
        if (row.subject, row.place) in seen:
            checked.refuse(index, Finding("duplicate", "the transfer has this key twice", pointer(index), line))
            continue
        seen.add((row.subject, row.place))
        checked.rows.append(row)
    return checked


def _match(dataset: Dataset, transfer: Transfer, found: Findings) -> list[Column] | None:
    """The column of each cell of a row; None when there are errors."""
    if transfer.columns is None:
        return list(dataset.columns)
    by_oid = {column.oid: column for column in (*dataset.columns, _REASON)}
    matched: list[Column] = []
    for place, sent in enumerate(transfer.columns):
        where = f"/columns/{place}"
        column = by_oid.get(sent.oid)
        if column is None or column.name not in (sent.name, _REASON.name):
            found.errors.append(Finding("unknown-column", "the dataset has no such column", where))
        elif column in matched:
            found.errors.append(Finding("duplicate", "the column stands twice", where, oid=column.oid))
        elif _kind(column.data_type) is not _kind(sent.data_type):
            found.errors.append(Finding("column-type", f"the column is {column.data_type}", where, oid=column.oid))
        else:
            matched.append(column)
    for key in dataset.keys:
        if key not in matched:
            found.errors.append(
                Finding("missing-key-column", f"the key column {key.name} is missing", "/columns", oid=key.oid)
            )
    return None if found.errors else matched


_REASON = Column(REASON_OID, "", "Reason for change", "string", Source.ITEM)


def _kind(data_type: str) -> type:
    return Number if data_type in NUMBERS else bool if data_type == "boolean" else str


@dataclass(frozen=True, slots=True)
class _Known:
    """A value as an item, and what was found about it (None: nothing)."""

    item: ItemValue
    found: Findings | None


class _Cells:
    """One column: its values as items, each checked when it comes for the first time."""

    __slots__ = ("_bare", "_design", "kind", "known", "place")

    def __init__(self, place: int, column: Column, design: Design) -> None:
        self.place = place
        self.kind = _kind(column.data_type)
        self.known: dict[object, _Known] = {}
        self._design = design
        # Units come in a column of their own.
        self._bare = replace(design.items[column.item], units=())

    def look(self, value: object) -> _Known:
        if self.kind is bool:
            text = "true" if value else "false"
        else:
            text = _without_exponent(str(value)) if self.kind is Number else str(value)
        item, found = ItemValue(self._bare.oid, text, None), Findings()
        checking.check_item(self._design, self._bare, item, found)
        known = _Known(item, found if found.errors or found.warnings else None)
        self.known[value] = known
        return known


class _RowReader:
    def __init__(self, design: Design, dataset: Dataset, columns: list[Column]) -> None:
        places = {column.oid: place for place, column in enumerate(columns)}
        by_source = {column.source: place for place, column in enumerate(columns) if column.source is not Source.ITEM}
        self._width = len(columns)
        self._subject = by_source[Source.SUBJECT]
        self._reason = places.get(REASON_OID)
        self._cells = [
            _Cells(place, column, design)
            for place, column in enumerate(columns)
            if column.source is Source.ITEM and column.oid != REASON_OID
        ]
        self._units = [
            (place, design.items[column.item]) for place, column in enumerate(columns) if column.source is Source.UNIT
        ]
        self._wanting = frozenset(
            item.oid for column in columns if column.item and len((item := design.items[column.item]).units) > 1
        )
        self._visit = None if dataset.visit is None else places[dataset.visit]
        self._events = {event.oid: event for event in datasets.events_of(design, dataset)}
        skipped = {self._subject, self._visit}
        self._keys = [place for column in dataset.keys if (place := places[column.oid]) not in skipped]
        self._range = _range_columns(columns)
        self._indicator = "" if self._range is None else columns[self._range[0]].item

    def read(self, index: int, cells: list[object], line: int, checked: Checked) -> Row | None:
        """The row, or None with its mistakes in `checked`."""

        def wrong(code: str, message: str, place: int | None = None, oid: str | None = None) -> None:
            checked.refuse(index, Finding(code, message, pointer(index, place), line, oid))

        if len(cells) != self._width:
            wrong("arity", f"the row must have {self._width} values")
            return None
        items: list[ItemValue] = []
        soft: dict[str, list[str]] = {}
        for column in self._cells:
            value = cells[column.place]
            if value is None or value == "":
                continue
            if value.__class__ is not column.kind:
                wrong("bad-type", f"the value is no {_SPOKEN[column.kind]}", column.place)
                continue
            known = column.known.get(value) or column.look(value)
            items.append(known.item)
            if known.found is None:
                continue
            for finding in known.found.errors:
                wrong(finding.code, finding.message, column.place, finding.oid)
            for finding in known.found.warnings:
                soft.setdefault(known.item.oid, []).append(finding.message)
                checked.found.warnings.append(replace(finding, where=pointer(index, column.place), line=line))
        subject = cells[self._subject]
        if subject.__class__ is not str or not subject:
            wrong("unknown-subject", "the row names no subject", self._subject)
        if index in checked.refused:
            return None
        if self._units or self._wanting:
            items = list(self._with_units(cells, items, wrong))
        place = self._place(cells, wrong)
        if place is None or index in checked.refused:
            return None
        if self._range is not None and not _is_in_keeping(cells, self._range):
            message = "the indicator does not agree with the value and its reference range"
            checked.found.warnings.append(Finding("reference-range", message, pointer(index, self._range[0]), line))
            soft.setdefault(self._indicator, []).append(message)
        reason = None if self._reason is None else cells[self._reason]
        text = reason.strip()[:500] if isinstance(reason, str) and is_text(reason) else ""
        return Row(index, str(subject), place, tuple(items), text or None, soft)

    def _place(self, cells: list[object], wrong: Callable[..., None]) -> Place | None:
        event, event_repeat = next(iter(self._events)), None
        if self._visit is not None:
            visit = _key_text(cells[self._visit])
            if self._events[event].repeating:
                event_repeat = visit
                if not 0 < len(visit) <= _MAX_REPEAT:
                    wrong("unknown-visit", "the row names no visit", self._visit)
            else:
                named = [oid for oid, one in self._events.items() if visit in (oid, one.name)]
                if len(named) != 1:
                    wrong("unknown-visit", "the form is in no event of that name", self._visit)
                    return None
                event = named[0]
        if not self._keys:
            return event, event_repeat, None
        parts = [_key_text(cells[place]) for place in self._keys]
        key = "|".join(part.replace("\\", "\\\\").replace("|", "\\|") if "|" in part else part for part in parts)
        if len(key) > _MAX_REPEAT:
            wrong("bad-key", f"the key has more than {_MAX_REPEAT} characters")
        return event, event_repeat, key or None

    def _with_units(
        self, cells: list[object], items: list[ItemValue], wrong: Callable[..., None]
    ) -> Iterator[ItemValue]:
        units: Mapping[str, str] = {}
        for place, item in self._units:
            unit = cells[place]
            if unit is None or unit == "":
                continue
            if unit.__class__ is not str or unit not in item.units:
                wrong("unknown-unit", "the unit is not one of the item's", place, item.oid)
                continue
            units = {**units, item.oid: str(unit)}
        for value in items:
            unit = units.get(value.oid)
            if unit is None and value.oid in self._wanting:
                wrong("unit", "the unit is needed", None, value.oid)
            yield value if unit is None else replace(value, unit=unit)


_SPOKEN = {Number: "number", bool: "boolean", str: "text"}


def _without_exponent(number: str) -> str:
    """ODM 1.3.2 §2.14 has no exponent in a float; the value is the same."""
    if "e" not in number and "E" not in number:
        return number
    value = Decimal(number)
    exponent = value.as_tuple().exponent
    return f"{value:f}" if isinstance(exponent, int) and abs(exponent) < _MAX_DIGITS else number


def _key_text(value: object) -> str:
    if value.__class__ is Number:
        return canonical(str(value))
    return value if isinstance(value, str) else "" if value is None else str(value).lower()


def _range_columns(columns: list[Column]) -> tuple[int, int, int, int] | None:
    """Where the indicator, the value and its limits stand, by the names that SDTM gives them (LBNRIND, LBSTRESN …)."""
    places = {column.name: place for place, column in enumerate(columns)}
    for name, place in places.items():
        domain, found, _ = name.partition("NRIND")
        wanted = [f"{domain}{suffix}" for suffix in ("STRESN", "STNRLO", "STNRHI")]
        if found and all(one in places for one in wanted):
            value, low, high = (places[one] for one in wanted)
            return place, value, low, high
    return None


def _is_in_keeping(cells: list[object], places: tuple[int, int, int, int]) -> bool:
    indicator, value, low, high = (cells[place] for place in places)
    if indicator not in ("LOW", "NORMAL", "HIGH"):
        return True
    if value.__class__ is not Number or low.__class__ is not Number or high.__class__ is not Number:
        return True
    number = float(str(value))
    said = "LOW" if number < float(str(low)) else "HIGH" if number > float(str(high)) else "NORMAL"
    return said == indicator
