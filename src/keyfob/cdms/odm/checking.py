"""Clinical data against the design: what is known, in its place, of its type, within its limits. Pure.

Codes and rules are those of the API's reference. A message names OIDs and never a value that was sent.
"""

import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from keyfob.cdms.odm import datatypes
from keyfob.cdms.odm.model import (
    SUBJECT,
    ClinicalData,
    Design,
    Finding,
    GroupData,
    ItemDef,
    ItemValue,
    RangeCheck,
    SubjectData,
)

_SHOWN_CODES = 10
_OF_LENGTH = frozenset({"text", "string", "integer", "float"})


@dataclass(frozen=True, slots=True)
class Findings:
    """Errors refuse; warnings are told."""

    errors: list[Finding] = field(default_factory=list)
    warnings: list[Finding] = field(default_factory=list)


def check_clinical(design: Design, clinical: ClinicalData) -> Findings:
    """All subjects of a file. The whole file is looked at, so that one round shows every mistake."""
    found = Findings()
    seen: set[str] = set()
    for subject in clinical.subjects:
        if not is_subject_key(subject.key):
            found.errors.append(Finding("bad-subject-key", _BAD_KEY, subject.where, subject.line))
        if subject.key in seen:
            found.errors.append(
                Finding("duplicate", "the subject stands twice in the file", subject.where, subject.line)
            )
        seen.add(subject.key)
        found.errors.extend(subject.found)
        _check_subject(design, subject, found)
    return found


_BAD_KEY = "a subject key has 1 to 64 printable characters, no slash, and no space at its ends"


def is_subject_key(key: str) -> bool:
    return (
        0 < len(key) <= 64 and key.isprintable() and key == key.strip() and not set(key) & {"/", "\\"}
        and datatypes.is_text(key)
    )  # fmt: skip


def _check_subject(design: Design, subject: SubjectData, found: Findings) -> None:
    places: set[object] = set()
    for group in subject.groups:
        if group.place in places:
            found.errors.append(
                Finding(
                    "duplicate",
                    "the same item group stands twice for the subject",
                    group.where,
                    group.line,
                    group.group,
                )
            )
        places.add(group.place)
        check_group(design, group, found)


def check_group(design: Design, group: GroupData, found: Findings) -> None:
    """One item group, where it stands and what is in it; adds to `found`."""
    misplaced = list(_check_place(design, group))
    found.errors.extend(misplaced)
    if misplaced:
        return
    found.warnings.extend(_missing_repeats(design, group))
    members = design.groups[group.group].members
    removes = group.transaction == "Remove"
    seen: set[str] = set()
    for item in group.items:
        if item.oid in seen:
            found.errors.append(_finding("duplicate", "the item stands twice in its group", item))
        elif item.oid not in design.items:
            found.errors.append(_finding("unknown-oid", f"the design has no item {_shown(item.oid)}", item))
        elif item.oid not in members:
            found.errors.append(_finding("misplaced-oid", f"{item.oid} does not belong to {group.group}", item))
        elif not removes and item.transaction not in ("Remove", "Context"):
            check_item(design, design.items[item.oid], item, found)
        seen.add(item.oid)


def missing_mandatory(design: Design, group: GroupData, present: frozenset[str]) -> Iterator[Finding]:
    """Mandatory items that would still be absent when `present` are there."""
    for oid, mandatory in design.groups[group.group].members.items():
        # Whose row it is says the subject that the group stands below.
        if mandatory and oid not in present and SUBJECT not in design.items[oid].marks:
            yield Finding("mandatory", f"the item {oid} is mandatory in {group.group}", group.where, group.line, oid)


_BAD_REPEAT_KEY = "a repeat key has 1 to 256 characters, each of which XML can carry"


def _check_place(design: Design, group: GroupData) -> Iterator[Finding]:
    levels = (
        ("event", group.event, group.event_repeat, design.events, None),
        ("form", group.form, group.form_repeat, design.forms, design.events.get(group.event)),
        ("item group", group.group, group.group_repeat, design.groups, design.forms.get(group.form)),
    )
    for what, oid, repeat, defined, parent in levels:
        definition = defined.get(oid)
        if definition is None:
            yield Finding("unknown-oid", f"the design has no {what} {_shown(oid)}", group.where, group.line, oid[:256])
        elif parent is not None and oid not in parent.members:
            yield Finding("misplaced-oid", f"{oid} does not belong to {parent.oid}", group.where, group.line, oid)
        elif repeat is not None and not definition.repeating:
            yield Finding("repeat-key", f"the {what} {oid} does not repeat", group.where, group.line, oid)
        elif repeat is not None and not (0 < len(repeat) <= 256 and datatypes.is_text(repeat)):
            yield Finding("repeat-key", _BAD_REPEAT_KEY, group.where, group.line, oid)
    known = group.form in design.forms and group.group in design.groups
    if known and group.within is not None and group.within != design.nesting.get((group.form, group.group), ()):
        message = f"{group.group} does not stand in these item groups in {group.form}"
        yield Finding("misplaced-oid", message, group.where, group.line, group.group)


def _missing_repeats(design: Design, group: GroupData) -> Iterator[Finding]:
    levels = (
        (design.events[group.event], group.event_repeat),
        (design.forms[group.form], group.form_repeat),
        # ODM 2.0: items may stand in the form itself, which then has the one key of both.
        *([] if group.group == group.form else [(design.groups[group.group], group.group_repeat)]),
    )
    for definition, repeat in levels:
        if definition.repeating and repeat is None:
            yield Finding(
                "no-repeat-key", f"{definition.oid} repeats, and has no repeat key here", group.where, group.line,
                definition.oid,
            )  # fmt: skip


def check_item(design: Design, definition: ItemDef, item: ItemValue, found: Findings) -> None:
    if item.contradicts:
        found.errors.append(_finding("value-or-null", "an item has either a value or IsNull", item))
    if item.value is None:
        return
    if not datatypes.is_text(item.value):
        found.errors.append(_finding("bad-character", "the value has a character that XML cannot carry", item))
        return
    is_value = datatypes.DATA_TYPES.get(definition.data_type, datatypes.is_text)
    if not is_value(item.value):
        found.errors.append(_finding("bad-type", f"the value is no {definition.data_type}", item))
        return
    found.errors.extend(_check_size(definition, item))
    found.errors.extend(_check_code(design, definition, item))
    found.errors.extend(_check_unit(definition, item))
    unit = definition.unit_of(item)
    for check in definition.range_checks:
        if check.unit in (None, unit) and not _in_range(check, item.value, definition.data_type):
            target = found.errors if check.hard else found.warnings
            target.append(_finding("range", f"the value is not {check.comparator} {', '.join(check.values)}", item))


def _check_size(definition: ItemDef, item: ItemValue) -> Iterator[Finding]:
    assert item.value is not None
    # ODM 1.3.2 §3.1.3.7: a Length says nothing of the other types.
    if definition.length is not None and definition.data_type in _OF_LENGTH:
        text = item.value.lstrip("+-").replace(".", "") if definition.data_type in datatypes.NUMERIC else item.value
        if len(text) > definition.length:
            yield _finding("too-long", f"the value is longer than {definition.length}", item)
    digits = definition.significant_digits
    if digits is not None and definition.data_type == "float" and datatypes.digits_after_point(item.value) > digits:
        yield _finding("too-precise", f"the value has more than {digits} digits after the point", item)


def _check_code(design: Design, definition: ItemDef, item: ItemValue) -> Iterator[Finding]:
    if definition.code_list is None:
        return
    allowed = design.code_lists[definition.code_list]
    # A code list without values is kept elsewhere (ExternalCodeList): what it has cannot be known here.
    if allowed and item.value not in allowed:
        shown = ", ".join(allowed[:_SHOWN_CODES]) + (" …" if len(allowed) > _SHOWN_CODES else "")
        yield _finding("code-list", f"the value is none of the coded values: {shown}", item)


def _check_unit(definition: ItemDef, item: ItemValue) -> Iterator[Finding]:
    if item.unit is not None and item.unit not in definition.units:
        yield _finding("unit", "the unit is not one of the item's", item)
    elif item.unit is None and len(definition.units) > 1:
        yield _finding("unit", f"the unit is needed: one of {', '.join(definition.units)}", item)


_COMPARATORS: Mapping[str, Callable[[Any, Any], bool]] = {
    "LT": operator.lt, "LE": operator.le, "GT": operator.gt, "GE": operator.ge, "EQ": operator.eq, "NE": operator.ne,
}  # fmt: skip


def _in_range(check: RangeCheck, value: str, data_type: str) -> bool:
    if check.comparator in ("IN", "NOTIN"):
        return (value in check.values) == (check.comparator == "IN")
    bound = check.values[0]
    if data_type in datatypes.NUMERIC and datatypes.DATA_TYPES["double"](bound):
        return _COMPARATORS[check.comparator](datatypes.number(value), datatypes.number(bound))
    # ISO 8601 texts of one type are ordered as they read.
    return _COMPARATORS[check.comparator](value, bound)


def _finding(code: str, message: str, item: ItemValue) -> Finding:
    return Finding(code, message, item.where, item.line, item.oid[:256])


def _shown(oid: str) -> str:
    """An OID that the design does not know may be anything: only what looks like one is repeated."""
    return oid if len(oid) <= 64 and oid.isprintable() else "of that OID"


def first(findings: Sequence[Finding], most: int = 100) -> list[Finding]:
    return list(findings[:most])
