"""Clinical data into the database: first a plan of all changes and all mistakes, then all of it or nothing.

Nothing that a plan depends on changes before it is carried out: it is made in the same transaction, or it is looked
after (keyfob.cdms.ahead).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from keyfob import client_secret
from keyfob.ambient import Entropy
from keyfob.cdms.odm import checking
from keyfob.cdms.odm.checking import Findings
from keyfob.cdms.odm.model import ClinicalData, Design, Finding, GroupData, ItemValue, SubjectData
from keyfob.cdms.storage.reading import Reading
from keyfob.cdms.storage.records import SITE_CLOSED, Status, StoredGroup, Study, Subject
from keyfob.cdms.storage.writing import Writing, fold


@dataclass(frozen=True, slots=True)
class Rights:
    """What the sender may reach: sites (None: all), forms and the sites of new subjects by question.

    `registers_unknown`: the operator's `load` registers subjects that the file does not say to insert.
    """

    sites: frozenset[str] | None
    may_write: Callable[[str | None, str], bool]
    may_register: Callable[[str | None], bool]
    registers_unknown: bool = False


@dataclass(frozen=True, slots=True)
class ItemWrite:
    """`item` None takes the old value away."""

    item: ItemValue | None
    old: ItemValue | None
    soft_checks: list[str]
    reason: str | None


@dataclass(frozen=True, slots=True)
class GroupWrite:
    """What happens to one item group; `removes` all of it when `items` is empty."""

    subject: Subject
    data: GroupData
    existing: StoredGroup | None
    items: tuple[ItemWrite, ...]
    removes: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """All changes that a file asks for, and everything that speaks against it."""

    study: Study
    version: str
    subjects: list[Subject] = field(default_factory=list)
    groups: list[GroupWrite] = field(default_factory=list)
    found: Findings = field(default_factory=Findings)
    unchanged: int = 0
    known: frozenset[str] = frozenset()
    """The ids of the subjects that it looked at."""

    @property
    def stored(self) -> int:
        """How many items are written or removed."""
        return sum(
            len(group.existing.data.items) if group.removes and group.existing else len(group.items)
            for group in self.groups
        )


CONFLICTS = frozenset({"subject-exists", "already-there", "not-open"})
"""Findings of what is there already, or is closed by now: the file may be right, and somebody was first."""


@dataclass(slots=True)
class Refused:
    """The subjects of a file that are left out, and why: the rest is stored without them."""

    subjects: int = 0
    items: int = 0
    errors: list[Finding] = field(default_factory=list)

    def leave_out(self, clinical: ClinicalData, errors: Sequence[Finding]) -> ClinicalData:
        """The data without each subject that one of `errors` is of; of one that stands twice, neither place."""
        places = {"/".join(error.where.split("/")[:depth]) for error in errors for depth in range(2, 6)}
        keys = {subject.key for subject in clinical.subjects if subject.where in places}
        gone = [subject for subject in clinical.subjects if subject.key in keys]
        if gone:
            self.subjects += len(gone)
            self.items += sum(len(group.items) for subject in gone for group in subject.groups)
            self.errors += errors
        return replace(clinical, subjects=tuple(one for one in clinical.subjects if one.key not in keys))


def make_plan(
    reading: Reading, study: Study, design: Design, clinical: ClinicalData, rights: Rights, *, entropy: Entropy
) -> Plan:
    """The plan for `clinical`, whose study and version are known to be these. Nothing is written."""
    plan = Plan(study, design.version_oid, found=checking.check_clinical(design, clinical))
    sites, closed = frozenset(site.oid for site in reading.sites(study.oid)), reading.closed_sites(study.oid)
    subjects = {subject.key: subject for subject in reading.subjects(study.oid, sites=rights.sites)}
    folded = {fold(subject.key): subject for subject in reading.subjects(study.oid)}
    wanted = [subjects[one.key].id for one in clinical.subjects if one.key in subjects]
    stored = {(*group.data.place, group.subject_id): group for group in _all(reading, wanted)}
    unchanged = 0
    for data in clinical.subjects:
        known = subjects.get(data.key)
        if known is not None and data.transaction == "Insert":
            plan.found.errors.append(Finding("subject-exists", "the subject exists", data.where, data.line))
            continue
        subject = known or _new_subject(plan, data, rights, sites, closed, folded, entropy)
        if subject is None:
            continue
        if known is not None and data.site not in (None, known.site):
            message = "the subject is of another site: a transfer is not made by a file of data"
            plan.found.errors.append(Finding("other-site", message, data.where, data.line))
        if subject.closed is not None:
            plan.found.errors.append(Finding("not-open", subject.closed, data.where, data.line))
            continue
        for group in data.groups:
            existing = stored.get((*group.place, subject.id))
            unchanged += _plan_group(plan, design, subject, group, existing, rights)
    return Plan(plan.study, plan.version, plan.subjects, plan.groups, plan.found, unchanged, frozenset(wanted))


def plan_group(
    design: Design, study: Study, subject: Subject, group: GroupData, existing: StoredGroup | None, rights: Rights, *,
    unseen: frozenset[str] = frozenset(),
) -> Plan:  # fmt: skip
    """The plan for one whole item group: what it does not name is removed (HTTP PUT), but for what is `unseen`."""
    plan = Plan(study, design.version_oid)
    checking.check_group(design, group, plan.found)
    if plan.found.errors:
        return plan
    named = {item.oid for item in group.items} | unseen
    gone = [] if existing is None or existing.removed else [i for i in existing.data.items if i.oid not in named]
    unchanged = _plan_group(plan, design, subject, group, existing, rights, gone=gone)
    return Plan(study, plan.version, plan.subjects, plan.groups, plan.found, unchanged)


def carry_out(plan: Plan, writing: Writing, *, batch: str | None) -> None:
    """Write what was planned; the caller has made sure that there are no errors."""
    for subject in plan.subjects:
        writing.add_subject(subject, reason=None)
    put = [(group.subject, group.data, group.existing) for group in plan.groups if not group.removes]
    rows = iter(writing.put_groups(put, version=plan.version))
    for group in plan.groups:
        if group.removes:
            _remove(plan, group, writing, batch)
        else:
            _put(plan, group, next(rows), writing, batch)
    writing.settle()


def _put(plan: Plan, group: GroupWrite, row: int, writing: Writing, batch: str | None) -> None:
    for write in group.items:
        if write.item is None:
            assert write.old is not None
            writing.remove_item(plan.study, group.subject, group.data, row, write.old, reason=write.reason, batch=batch)
            continue
        writing.put_item(
            plan.study, group.subject, group.data, row, write.item, write.old, reason=write.reason, batch=batch,
            soft_checks=write.soft_checks,
        )  # fmt: skip


def _remove(plan: Plan, group: GroupWrite, writing: Writing, batch: str | None) -> None:
    assert group.existing is not None
    for item in group.existing.data.items:
        writing.remove_item(
            plan.study, group.subject, group.data, group.existing.row, item, reason=group.data.reason, batch=batch
        )
    writing.remove_group(group.existing)


def _all(reading: Reading, subjects: Sequence[str]) -> Iterator[StoredGroup]:
    for groups in reading.groups(subjects, removed=True).values():
        yield from groups


def _new_subject(
    plan: Plan,
    data: SubjectData,
    rights: Rights,
    sites: frozenset[str],
    closed: frozenset[str],
    folded: dict[str, Subject],
    entropy: Entropy,
) -> Subject | None:
    """The subject that the file registers, or None with a finding. A foreign site's subject is as unknown as none."""
    where = (data.where, data.line)
    if data.transaction != "Insert" and not rights.registers_unknown:
        plan.found.errors.append(Finding("unknown-subject", "the subject is not registered in this study", *where))
        return None
    # Asked before the site is looked up: the answer must not tell which sites there are.
    if not rights.may_register(data.site):
        plan.found.errors.append(Finding("not-granted", "registering a subject here needs subjects:write", *where))
        return None
    if fold(data.key) in folded:
        plan.found.errors.append(Finding("subject-exists", "a subject of nearly this key exists", *where))
        return None
    if data.site is not None and data.site not in sites:
        plan.found.errors.append(Finding("unknown-site", "the study has no such site", *where))
        return None
    if rights.sites is not None and data.site not in rights.sites:
        plan.found.errors.append(Finding("unknown-site", "the study has no such site", *where))
        return None
    if data.site in closed:
        plan.found.errors.append(Finding("not-open", SITE_CLOSED, *where))
        return None
    subject_id = client_secret.new_id("sub_", entropy(16))
    subject = Subject(subject_id, plan.study.oid, data.key, data.site, Status.ENROLLED, 1)
    plan.subjects.append(subject)
    folded[fold(data.key)] = subject  # the next one of the same file must differ from it, too
    return subject


def soft_checks(design: Design, item: ItemValue) -> list[str]:
    """The soft range checks that the value does not pass: they go into its audit record."""
    definition, found = design.items[item.oid], Findings()
    if all(check.hard for check in definition.range_checks):
        return []
    checking.check_item(design, definition, item, found)
    return [warning.message for warning in found.warnings]


def _plan_group(
    plan: Plan,
    design: Design,
    subject: Subject,
    group: GroupData,
    existing: StoredGroup | None,
    rights: Rights,
    *,
    gone: Sequence[ItemValue] = (),
) -> int:
    """Add to the plan what this group changes; how many of its items stay as they are."""
    present = existing is not None and not existing.removed
    errors = plan.found.errors
    here = (group.where, group.line, group.group)
    if group.transaction == "Context" or group.group not in design.groups:
        return 0
    if not rights.may_write(subject.site, group.form):
        errors.append(Finding("not-granted", "this form is not granted to the client", *here))
        return 0
    if group.transaction == "Insert" and present:
        errors.append(Finding("already-there", "the item group is there already", *here))
        return 0
    if group.transaction in ("Update", "Remove") and not present:
        errors.append(Finding("not-there", "the item group is not there", *here))
        return 0
    if group.transaction == "Remove":
        if group.reason is None:
            errors.append(Finding("reason-required", "a removal needs a reason", *here))
        plan.groups.append(GroupWrite(subject, group, existing, (), removes=True))
        return 0
    old = existing.values if existing is not None and present else {}
    writes = [write for item in group.items if (write := _plan_item(plan, design, group, item, old)) is not None]
    writes += [ItemWrite(None, one, [], group.reason) for one in gone]
    if any(write.old is not None and write.reason is None for write in writes):
        errors.append(Finding("reason-required", "a change of a value needs a reason", *here))
    after = set(old) | {item.oid for item in group.items if item.transaction != "Context"}
    after -= {write.old.oid for write in writes if write.item is None and write.old is not None}
    if group.items:
        errors.extend(checking.missing_mandatory(design, group, frozenset(after)))
    if writes:
        plan.groups.append(GroupWrite(subject, group, existing, tuple(writes), removes=False))
    return len(group.items) + len(gone) - len(writes)


def _plan_item(
    plan: Plan, design: Design, group: GroupData, item: ItemValue, old: Mapping[str, ItemValue]
) -> ItemWrite | None:
    """What becomes of one item by its own TransactionType, or its group's; None when it stays as it is."""
    was, reason, here = old.get(item.oid), item.reason or group.reason, (item.where, item.line, item.oid)
    if item.transaction == "Context" or item.oid not in design.items:
        return None
    if item.transaction == "Insert" and was is not None:
        plan.found.errors.append(Finding("already-there", "the item is there already", *here))
    if item.transaction in ("Update", "Remove") and was is None:
        plan.found.errors.append(Finding("not-there", "the item is not there", *here))
        return None
    if item.transaction == "Remove":
        return ItemWrite(None, was, [], reason)
    definition = design.items[item.oid]
    if was is not None and (item.value, definition.unit_of(item)) == (was.value, definition.unit_of(was)):
        return None
    return ItemWrite(item, was, soft_checks(design, item), reason)
