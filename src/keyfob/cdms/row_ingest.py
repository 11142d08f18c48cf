"""Rows of an external dataset into the database: each a whole item group of its subject, under one audit record.

As with ODM (keyfob.cdms.ingest) a plan comes first, and nothing it depends on has changed when it is carried out.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation

from keyfob.cdms.datasets import checking
from keyfob.cdms.datasets.checking import Checked, Row, line_of, pointer
from keyfob.cdms.datasets.reading import Transfer
from keyfob.cdms.odm.datasets import NUMBERS, Dataset
from keyfob.cdms.odm.model import Design, Finding, GroupData, ItemValue
from keyfob.cdms.storage.reading import Reading
from keyfob.cdms.storage.records import StoredGroup, Study, Subject
from keyfob.cdms.storage.writing import Writing

OTHER_VALUES = "other-values"


@dataclass(frozen=True, slots=True)
class RowRights:
    """What the sender may reach: sites (None: all), and whether it may write at a site."""

    sites: frozenset[str] | None
    may_write: Callable[[str | None], bool]


@dataclass(frozen=True, slots=True)
class RowWrite:
    """`new` has what changes, without a value what is taken away; `old` what of it was there."""

    subject: Subject
    data: GroupData
    existing: StoredGroup | None
    new: tuple[ItemValue, ...]
    old: dict[str, ItemValue]
    soft_checks: Mapping[str, list[str]]


@dataclass(slots=True)
class RowPlan:
    """`sent` = stored + unchanged + refused."""

    study: Study
    version: str
    dataset: str
    checked: Checked
    sent: int
    writes: list[RowWrite] = field(default_factory=list)
    unchanged: int = 0

    @property
    def refused(self) -> int:
        return self.sent if not self.checked.items else len(self.checked.refused)


def make_plan(
    reading: Reading, study: Study, design: Design, dataset: Dataset, transfer: Transfer, rights: RowRights, *,
    reason: str | None,
) -> RowPlan:  # fmt: skip
    """`reason` holds for the rows that have none of their own. Nothing is written."""
    plan = RowPlan(
        study, design.version_oid, dataset.oid, checking.check(design, dataset, transfer), len(transfer.rows)
    )
    rows = list(_known(plan, transfer, reading.subjects(study.oid, sites=rights.sites), rights))
    wanted = sorted({subject.id for _, subject in rows})
    stored: _Stored = {
        (group.subject_id, *group.data.place): group
        for groups in reading.groups(wanted, removed=True, oid=dataset.oid).values()
        for group in groups
    }
    planner = _Planner(plan, design, dataset, transfer, reason)
    for row, subject in rows:
        planner.add(row, subject, stored)
    return plan


def carry_out(plan: RowPlan, writing: Writing, *, batch: str | None) -> None:
    put = [(write.subject, write.data, write.existing) for write in plan.writes]
    for write, number in zip(plan.writes, writing.put_groups(put, version=plan.version), strict=True):
        writing.put_row(
            plan.study, write.subject, write.data, number, write.new, write.old, reason=write.data.reason, batch=batch,
            soft_checks=write.soft_checks,
        )  # fmt: skip
    writing.settle()


def _known(
    plan: RowPlan, transfer: Transfer, subjects: Sequence[Subject], rights: RowRights
) -> Iterator[tuple[Row, Subject]]:
    """The rows whose subject may be written; another site's subject is as unknown as none."""
    by_key = {subject.key: subject for subject in subjects}
    may_write: dict[str | None, bool] = {}
    for row in plan.checked.rows:
        subject = by_key.get(row.subject)
        if subject is not None and subject.site not in may_write:
            may_write[subject.site] = rights.may_write(subject.site)
        where = pointer(row.index), line_of(transfer, row.index)
        if subject is None or not may_write[subject.site]:
            message = "the subject is not registered in this study"
            plan.checked.refuse(row.index, Finding("unknown-subject", message, *where))
        elif subject.closed is not None:
            plan.checked.refuse(row.index, Finding("not-open", subject.closed, *where))
        else:
            yield row, subject


_Stored = dict[tuple[object, ...], StoredGroup]
"""By subject and place."""


class _Planner:
    def __init__(self, plan: RowPlan, design: Design, dataset: Dataset, transfer: Transfer, reason: str | None) -> None:
        self._plan = plan
        self._dataset = dataset
        self._transfer = transfer
        self._reason = reason
        self._form = dataset.forms[0]
        self._numbers = frozenset(column.item for column in dataset.columns if column.data_type in NUMBERS)
        subject = next(column.item for column in dataset.columns if column.item and column.source == "subject")
        members = design.groups[dataset.oid].members
        self._mandatory = frozenset(oid for oid, mandatory in members.items() if mandatory) - {subject}

    def add(self, row: Row, subject: Subject, stored: _Stored) -> None:
        event, event_repeat, repeat = row.place
        place = event, event_repeat, self._form, None, self._dataset.oid, repeat
        existing = stored.get((subject.id, *place))
        present = existing is not None and not existing.removed
        before = existing.values if existing is not None and present else {}
        new = [item for item in row.items if not self._same(item, before.get(item.oid))]
        sent = {item.oid for item in row.items}
        # A column that was sent without a value takes away what is there; one that was not sent leaves it.
        new += [ItemValue(oid, None) for oid in before if oid in self._plan.checked.items and oid not in sent]
        reason = row.reason or self._reason
        missing = self._mandatory - sent - (before.keys() - self._plan.checked.items)
        if present and not new:
            self._plan.unchanged += 1
        elif present and reason is None:
            self._refuse(row, OTHER_VALUES, "the row is there with other values: a change needs a reason")
        elif missing:
            self._refuse(row, "mandatory", f"a value of {min(missing)} is mandatory", min(missing))
        else:
            data = GroupData(*place, transaction=None, items=(), reason=reason if present else None)
            old = {item.oid: before[item.oid] for item in new if item.oid in before}
            self._plan.writes.append(RowWrite(subject, data, existing, tuple(new), old, row.soft_checks))

    def _refuse(self, row: Row, code: str, message: str, oid: str | None = None) -> None:
        finding = Finding(code, message, pointer(row.index), line_of(self._transfer, row.index), oid)
        self._plan.checked.refuse(row.index, finding)

    def _same(self, item: ItemValue, old: ItemValue | None) -> bool:
        if old is None or old.unit != item.unit:
            return False
        return old.value == item.value or (
            item.oid in self._numbers and _is_same_number(old.value or "", item.value or "")
        )


def _is_same_number(one: str, other: str) -> bool:
    """39 and 39.0 are one number in JSON: a library that writes it in another way has changed nothing."""
    try:
        return Decimal(one) == Decimal(other)
    except InvalidOperation:
        return False
