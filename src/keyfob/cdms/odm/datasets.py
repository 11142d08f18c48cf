"""Item groups as datasets: what the columns of each are, and which of them say whose a row is. Pure.

Every item group of a design is a dataset that can be read. One that is marked as external is written row by row, too.
Names, labels and keys are those that ODM 1.3.2 has for them: SASDatasetName, SASFieldName, Description, KeySequence.
What Dataset-JSON 1.1 knows besides stands in aliases, `<Alias Context="dataset-json:displayFormat" Name="DATE9."/>`.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from keyfob.cdms.odm.datatypes import NUMERIC
from keyfob.cdms.odm.model import EXTERNAL, SUBJECT, VISIT, Container, Design, ItemDef

NUMBERS = frozenset({"integer", "float", "double"})
"""The data types whose values are JSON numbers; a decimal is a text, so that no reader rounds it."""
TEXTS = frozenset({"string", "datetime", "date", "time", "URI"})
"""Those that have no null: what is missing is an empty text, as in SAS."""
DATA_TYPES = NUMBERS | TEXTS | {"decimal", "boolean"}
"""Of Dataset-JSON 1.1."""
_SAME = DATA_TYPES - {"string", "decimal"}


class Source(StrEnum):
    """Where the value of a column comes from: an item, its unit, or the place of the row."""

    ITEM = "item"
    UNIT = "unit"
    SUBJECT = "subject"
    SITE = "site"
    EVENT = "event"
    EVENT_REPEAT = "event_repeat"
    FORM = "form"
    FORM_REPEAT = "form_repeat"
    GROUP_REPEAT = "group_repeat"


@dataclass(frozen=True, slots=True)
class Column:
    """`oid` to `key_sequence` are what Dataset-JSON says of a column; `item` is the OID of the item it belongs to."""

    oid: str
    name: str
    label: str
    data_type: str
    source: Source
    item: str = ""
    target_data_type: str | None = None
    length: int | None = None
    display_format: str | None = None
    key_sequence: int | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """`oid` is the item group's. `visit`: the item that says the event. `forms`: those that hold the item group."""

    oid: str
    name: str
    label: str
    external: bool
    repeating: bool
    columns: tuple[Column, ...]
    forms: tuple[str, ...]
    visit: str | None = None

    @property
    def keys(self) -> tuple[Column, ...]:
        found = [column for column in self.columns if column.key_sequence is not None]
        return tuple(sorted(found, key=lambda column: column.key_sequence or 0))


# What says the place of a row that no column of its own says.
_PLACES = (
    ("SUBJECT", "Subject", Source.SUBJECT, True),
    ("SITE", "Site", Source.SITE, False),
    ("EVENT", "Event", Source.EVENT, True),
    ("EVENTRK", "Repeat key of the event", Source.EVENT_REPEAT, True),
    ("FORM", "Form", Source.FORM, True),
    ("FORMRK", "Repeat key of the form", Source.FORM_REPEAT, True),
    ("GROUPRK", "Repeat key of the item group", Source.GROUP_REPEAT, True),
)


def of_design(design: Design) -> Iterator[Dataset]:
    """The datasets of a design, in its order."""
    for group in design.groups.values():
        yield _dataset(design, group)


def find(design: Design, oid: str) -> Dataset | None:
    group = design.groups.get(oid)
    return None if group is None else _dataset(design, group)


def events_of(design: Design, dataset: Dataset) -> list[Container]:
    """The events in which the (one) form of an external dataset stands."""
    return [event for event in design.events.values() if dataset.forms[0] in event.members]


def check(design: Design) -> None:
    """Raises ValueError for an external dataset in which the place of a row would not be certain."""
    for dataset in of_design(design):
        if not dataset.external:
            continue
        subjects = [one for one in dataset.columns if one.source is Source.SUBJECT]
        if len(subjects) != 1 or not subjects[0].item:
            raise ValueError(f"{dataset.oid} is external: exactly one of its items must be marked as the subject")
        if len(dataset.forms) != 1 or not (events := events_of(design, dataset)):
            raise ValueError(f"{dataset.oid} is external: it must stand in exactly one form, and that in an event")
        visits = [oid for oid in design.groups[dataset.oid].members if VISIT in design.items[oid].marks]
        if len(visits) > 1:
            raise ValueError(f"{dataset.oid} is external: only one of its items may be marked as the visit")
        if not visits and (len(events) > 1 or events[0].repeating):
            raise ValueError(f"{dataset.oid} is external: an item must be marked as the visit, to say its event")
        if len(events) > 1 and any(event.repeating for event in events):
            raise ValueError(f"{dataset.oid} is external: of several events that hold its form none may repeat")
        if design.forms[dataset.forms[0]].repeating:
            raise ValueError(f"{dataset.oid} is external: its form must not repeat")
        keys = {column.item for column in dataset.keys}
        if subjects[0].key_sequence is None or not set(visits) <= keys:
            raise ValueError(f"{dataset.oid} is external: the subject and the visit must have a KeySequence")
        # A key is told in every form by repeat keys, and stands in URLs: whoever is not to see it would.
        if any(design.items[key].identifying for key in keys - {subjects[0].item}):
            raise ValueError(f"{dataset.oid} is external: an item with a KeySequence must not be marked as identifying")
        if len(keys - {subjects[0].item, *visits}) and not dataset.repeating:
            raise ValueError(f"{dataset.oid} is external: with more keys than the subject and the visit it must repeat")


def _dataset(design: Design, group: Container) -> Dataset:
    items = [design.items[oid] for oid in group.members if oid in design.items]
    own = [_column(item, group) for item in items]
    columns: list[Column] = []
    if all(column.source is not Source.SUBJECT for column in own):
        columns = [
            Column(f"keyfob.{name}", name, label, "string", source, key_sequence=place if is_key else None)
            for place, (name, label, source, is_key) in enumerate(_PLACES, start=1)
        ]
        own = [replace(column, key_sequence=None) for column in own]
    for item, column in zip(items, own, strict=True):
        columns.append(column)
        if item.units:
            unit = f"Unit of {column.label}"
            columns.append(Column(f"{item.oid}.UNIT", f"{column.name}U", unit, "string", Source.UNIT, item=item.oid))
    return Dataset(
        oid=group.oid,
        name=group.sas_name or group.name or group.oid,
        label=group.label or group.name or group.oid,
        external=EXTERNAL in group.marks,
        repeating=group.repeating,
        columns=tuple(_unique(columns)),
        forms=tuple(form.oid for form in design.forms.values() if group.oid in form.members),
        visit=next((item.oid for item in items if VISIT in item.marks), None),
    )


def _column(item: ItemDef, group: Container) -> Column:
    said = item.column
    data_type = said.get("dataType", item.data_type if item.data_type in _SAME else "string")
    name = item.sas_name or item.name or item.oid
    length = said.get("length", "")
    return Column(
        oid=item.oid,
        name=name,
        label=item.label or name,
        data_type=data_type if data_type in DATA_TYPES else "string",
        source=Source.SUBJECT if SUBJECT in item.marks else Source.ITEM,
        item=item.oid,
        target_data_type=said.get("targetDataType"),
        length=int(length) if length.isdigit() else None if item.data_type in NUMERIC else item.length,
        display_format=said.get("displayFormat"),
        key_sequence=group.keys.get(item.oid),
    )


def _unique(columns: list[Column]) -> list[Column]:
    """A name that stands twice tells nothing: those columns have their OID for one."""
    counted = Counter(column.name for column in columns)
    return [column if counted[column.name] == 1 else replace(column, name=column.oid) for column in columns]
