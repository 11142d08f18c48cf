"""What a call may see of the clinical data of a study, subject by subject: as it is, or as it was at a sequence number.

Events, forms, groups and items come in the order of the design, so that the same data give the same document.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from keyfob.cdms import events
from keyfob.cdms.call import Call
from keyfob.cdms.handlers.sight import ItemSight
from keyfob.cdms.odm.model import Design, GroupData, ItemValue, SubjectData
from keyfob.cdms.storage.reading import Reading
from keyfob.cdms.storage.records import Study, Subject

_SIZE_AT_ONCE = 2_500_000
_SUBJECTS_AT_ONCE = 200

_Place = tuple[str, str | None, str, str | None, str, str | None]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Limits of the caller's own. `as_of`: a sequence number; None: as it is now."""

    site: str | None = None
    event: str | None = None
    form: str | None = None
    as_of: int | None = None

    @property
    def whole(self) -> bool:
        """Whether subjects without data belong in it, too."""
        return self.event is None and self.form is None


def subjects_of(
    call: Call, reading: Reading, study: Study, design: Design, subjects: Sequence[Subject], wanted: Wanted
) -> Iterator[SubjectData]:
    """The data of these subjects, a few of which are in memory at a time."""
    order, sight, sites = _Order(design), ItemSight(call, reading, study), call.sites(study.oid)
    forms = call.forms(study.oid)
    if wanted.form is not None:
        forms = frozenset({wanted.form}) if forms is None else forms & {wanted.form}
    for some in _chunks(reading.sizes(study.oid), subjects):
        for subject, site, stored in _stored(reading, study, some, wanted, forms):
            if wanted.site not in (None, site):
                continue
            groups = [
                _shown(group, subject, sight, order)
                for group in stored
                # The form of one element is not lent to the site of another.
                if call.reaches(subject, form=group.form)
            ]
            shown = sorted((group for group in groups if group.items), key=order.of)
            if shown or wanted.whole:
                # Where it was before it came to a site of this client is not this client's to read.
                told = site if sites is None or site in sites else None
                yield SubjectData(subject.key, told, None, tuple(shown))


def _chunks(sizes: dict[str, int], subjects: Sequence[Subject]) -> Iterator[list[Subject]]:
    some: list[Subject] = []
    size = 0
    for subject in subjects:
        own = sizes.get(subject.id, 0)
        if some and (size + own > _SIZE_AT_ONCE or len(some) == _SUBJECTS_AT_ONCE):
            yield some
            some, size = [], 0
        some.append(subject)
        size += own
    if some:
        yield some


def _stored(
    reading: Reading, study: Study, subjects: Sequence[Subject], wanted: Wanted, forms: frozenset[str] | None
) -> Iterator[tuple[Subject, str | None, list[GroupData]]]:
    """Each subject as it is, with its site and groups of then: what a client may see is told by what is now.

    Only the groups of the event that is wanted, and of `forms` (None: of all).
    """
    stored = reading.groups([subject.id for subject in subjects], event=wanted.event, forms=forms)
    if wanted.as_of is None:
        for subject in subjects:
            yield subject, subject.site, [group.data for group in stored[subject.id]]
        return
    former = _former(reading, study, subjects, wanted.as_of)
    for subject in subjects:
        was = former[subject.id]
        if was.present:
            groups = was.groups([group.data for group in stored[subject.id]])
            here = (one for one in groups if wanted.event in (None, one.event) and (forms is None or one.form in forms))
            yield subject, was.site, list(here)


class _Former:
    """What the records after a number say of a subject's state at it: the first of a place has the old value there."""

    def __init__(self, subject: Subject) -> None:
        self.present = True
        self.site = subject.site
        self._site_known = False
        self._old: dict[_Place, dict[str, ItemValue | None]] = {}

    def take(self, event: dict[str, object]) -> None:
        """The next record after the number, in their order."""
        old, place = event.get("old"), event.get("place")
        if event.get("action") == "register":
            self.present = False
        elif isinstance(place, dict):
            item, value = str(place["item"]), None
            if isinstance(old, dict):
                value = ItemValue(item, old.get("value"), old.get("unit"))
            self._old.setdefault(_place(place), {}).setdefault(item, value)
        elif isinstance(old, dict) and "site" in old and not self._site_known:
            self.site, self._site_known = old["site"], True

    def groups(self, now: Sequence[GroupData]) -> list[GroupData]:
        """The groups as they were, out of what they are now."""
        found = {group.place: group for group in now}
        for place, old in self._old.items():
            values = {item.oid: item for item in found[place].items} if place in found else {}
            for oid, value in old.items():
                values.pop(oid, None)
                if value is not None:
                    values[oid] = value
            found[place] = GroupData(*place, None, tuple(values.values()))
        return [group for group in found.values() if group.items]


def _former(reading: Reading, study: Study, subjects: Sequence[Subject], as_of: int) -> dict[str, _Former]:
    former = {subject.id: _Former(subject) for subject in subjects}
    for entry in reading.history(study.oid, after=as_of, subjects=tuple(former)):
        if entry.payload is not None:
            event = json.loads(entry.payload)
            for one in events.by_value(event):
                former[event["subject_id"]].take(one)
    return former


def _place(place: dict[str, object]) -> _Place:
    def text(name: str) -> str | None:
        value = place.get(name)
        return None if value is None else str(value)

    return (
        str(place["event"]), text("event_repeat"), str(place["form"]), text("form_repeat"), str(place["item_group"]),
        text("item_group_repeat"),
    )  # fmt: skip


def _shown(group: GroupData, subject: Subject, sight: ItemSight, order: "_Order") -> GroupData:
    seen = (item for item in group.items if sight.shows(subject, group.form, item.oid))
    return replace(group, items=order.items(group.group, seen), within=order.within(group))


class _Order:
    """The design's order. What it does not have comes last, by its OID."""

    def __init__(self, design: Design) -> None:
        self._nesting = design.nesting
        self._events = _numbered(design.events)
        self._forms = _numbered(design.forms)
        self._groups = _numbered(design.groups)
        self._items = {oid: _numbered(group.members) for oid, group in design.groups.items()}

    def within(self, group: GroupData) -> tuple[str, ...]:
        return self._nesting.get((group.form, group.group), ())

    def of(self, group: GroupData) -> tuple[object, ...]:
        event, form = (self._events, group.event, group.event_repeat), (self._forms, group.form, group.form_repeat)
        # ODM 2.0: what stands within the same group stands together.
        path = [(self._groups, oid, None) for oid in self.within(group)]
        inner = [] if group.group == group.form else [(self._groups, group.group, group.group_repeat)]
        key = [_key(*one) for one in (event, form)]
        return (*key, [_key(*one) for one in (*path, *inner)], group.group_repeat or "")

    def items(self, group: str, items: Iterator[ItemValue]) -> tuple[ItemValue, ...]:
        known = self._items.get(group, {})
        return tuple(sorted(items, key=lambda item: (known.get(item.oid, len(known)), item.oid)))


def _numbered(defined: object) -> dict[str, int]:
    assert isinstance(defined, dict)
    return {oid: place for place, oid in enumerate(defined)}


def _key(known: dict[str, int], oid: str, repeat: str | None) -> tuple[object, ...]:
    """By place in the design; then no repeat key, then numbers by value, then other keys."""
    place = known.get(oid, len(known))
    if repeat is None:
        return place, oid, 0, 0, ""
    is_number = repeat.isascii() and repeat.isdigit() and len(repeat) < 19
    return (place, oid, 1, int(repeat), repeat) if is_number else (place, oid, 2, 0, repeat)
