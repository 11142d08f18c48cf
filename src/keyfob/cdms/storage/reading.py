"""The questions to the database, on an open connection: rows in, records out."""

import contextlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence, Set
from typing import Any

import sqlalchemy as sa
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler

from keyfob import ledger
from keyfob.cdms.odm.model import GroupData, ItemValue, Site
from keyfob.cdms.storage import schema, statements
from keyfob.cdms.storage.records import Batch, Status, StoredAnswer, StoredGroup, Study, Subject

_SUBJECTS_AT_ONCE = 200
_RECORDS_AT_ONCE = 500
_ROWS_AT_ONCE = 500
_ITEMS_AT_ONCE = 1000
_PER_VALUE = 100
"""Characters that stand for what a value is besides its text."""


class _Plain(sa.sql.functions.GenericFunction[str]):
    """A text as its bytes are ordered: the same everywhere, whatever language a database was made in."""

    type = sa.Text()
    inherit_cache = True


@compiles(_Plain)
def _as_it_is(element: _Plain, compiler: SQLCompiler, **options: object) -> str:
    return compiler.process(element.clauses, **options)


@compiles(_Plain, "postgresql")
def _in_no_language(element: _Plain, compiler: SQLCompiler, **options: object) -> str:
    return f'({compiler.process(element.clauses, **options)} COLLATE "C")'


# Read through casts: SQLite lets a forger put any type into any column, and that must end as a finding of `verify`,
# not as an error in the middle of it.
_AUDIT_COLUMNS = tuple(
    sa.cast(schema.audit.c[name], schema.audit.c[name].type).label(name)
    for name in ("seq", "at", "salt", "payload", "commitment", "link")
)


class Reading:
    """What can be asked inside a transaction, of a reader or of a writer alike."""

    def __init__(self, connection: sa.Connection) -> None:
        self._connection = connection

    def epoch(self) -> str:
        return str(self._connection.execute(sa.select(schema.installation.c.epoch)).scalar_one())

    def studies(self, among: frozenset[str] | None = None) -> tuple[Study, ...]:
        """In the order of their path keys, those `among` these OIDs (None: all)."""
        chosen = sa.select(schema.study).order_by(_Plain(schema.study.c.path_key))
        chosen = chosen.where(_among(schema.study.c.oid, among))
        return tuple(read_study(row) for row in self._connection.execute(chosen))

    def find_study(self, *, path_key: str | None = None, oid: str | None = None) -> Study | None:
        name, wanted = ("oid", oid) if path_key is None else ("path_key", path_key)
        row = statements.STUDY_BY[name].find(self._connection, {"wanted": wanted})
        return None if row is None else read_study(row)

    def sites(self, study: str, among: frozenset[str] | None = None) -> tuple[Site, ...]:
        """In the order of their OIDs, those `among` these (None: all)."""
        columns = schema.site.c
        chosen = sa.select(schema.site).where(columns.study == study, _among(columns.oid, among))
        chosen = chosen.order_by(_Plain(columns.oid))
        return tuple(Site(row.oid, row.name) for row in self._connection.execute(chosen))

    def closed_sites(self, study: str) -> frozenset[str]:
        """The OIDs of those that take no data any more."""
        columns = schema.site.c
        chosen = sa.select(columns.oid).where(columns.study == study, columns.closed_at.is_not(None))
        return frozenset(self._connection.execute(chosen).scalars())

    def versions(self, study: str) -> tuple[tuple[str, str], ...]:
        """The metadata versions of a study, live, draft and old: the OID of each, and its document's SHA-256 in hex."""
        columns = schema.metadata_version.c
        chosen = sa.select(columns.oid, columns.sha256).where(columns.study == study)
        return tuple((row.oid, row.sha256) for row in self._connection.execute(chosen))

    def find_sha256(self, study: str, oid: str) -> str | None:
        """Of the document that a metadata version was loaded from, in hex."""
        row = statements.SHA256_OF.find(self._connection, {"of": study, "wanted": oid})
        return None if row is None else str(row.sha256)

    def find_version(self, study: str, oid: str) -> tuple[bytes, str] | None:
        """The document that a metadata version was loaded from, and its SHA-256 in hex."""
        columns = schema.metadata_version.c
        chosen = sa.select(columns.body, columns.sha256).where(columns.study == study, columns.oid == oid)
        row = self._connection.execute(chosen).one_or_none()
        return None if row is None else (bytes(row.body), str(row.sha256))

    def live_version(self, study: str, *, at: int) -> str | None:
        """The metadata version that was live at a sequence number."""
        columns = schema.audit.c
        own = (columns.study == study) & (columns.seq <= at) & columns.subject.is_(None)
        for row in self._connection.execute(sa.select(columns.payload).where(own).order_by(columns.seq.desc())):
            event = {} if row.payload is None else json.loads(row.payload)
            if event.get("action") == "live":
                return str(event["version"])
        return None

    def sizes(self, study: str) -> dict[str, int]:
        """How many characters there are of each subject of a study, by its id; nothing of those without values."""
        group, subject, value = schema.item_group, schema.subject, schema.item_value
        size = sa.func.sum(_PER_VALUE + sa.func.coalesce(sa.func.length(value.c.value), 0))
        chosen = (
            sa.select(group.c.subject, size)
            .join(subject, subject.c.id == group.c.subject)
            .join(value, value.c.item_group == group.c.id)
            .where(subject.c.study == study)
            .group_by(group.c.subject)
        )
        return {row[0]: int(row[1]) for row in self._connection.execute(chosen)}

    def live_since(self, study: str, oid: str) -> int | None:
        """Since when a metadata version is live, or was; None: it is a draft, or is not there."""
        columns = schema.metadata_version.c
        chosen = sa.select(columns.live_at).where(columns.study == study, columns.oid == oid)
        found = self._connection.execute(chosen).scalar_one_or_none()
        return None if found is None else int(found)

    def subjects(
        self,
        study: str,
        *,
        sites: frozenset[str] | None = None,
        status: Status | None = None,
        updated_after: int | None = None,
        after: str | None = None,
        limit: int | None = None,
    ) -> tuple[Subject, ...]:
        """Subjects in the order of their keys, of `sites` (None: all), that come after the one whose id is `after`.

        `updated_after`: those to which, or to whose data, something happened after that sequence number.
        """
        columns = schema.subject.c
        chosen = sa.select(schema.subject, statements.AT_CLOSED_SITE).where(columns.study == study)
        chosen = chosen.order_by(_Plain(columns.key))
        if after is not None:
            last = sa.select(columns.key).where(columns.id == after, columns.study == study).scalar_subquery()
            chosen = chosen.where(_Plain(columns.key) > last)
        chosen = chosen.where(_among(columns.site, sites))
        if status is not None:
            chosen = chosen.where(columns.status == status.value)
        if updated_after is not None:
            changes = schema.audit.c
            changed = sa.select(changes.subject).where(changes.study == study, changes.seq > updated_after)
            chosen = chosen.where(columns.id.in_(changed))
        if limit is not None:
            chosen = chosen.limit(limit)
        return tuple(_subject(row) for row in self._connection.execute(chosen))

    def find_subject(
        self, study: str, *, subject_id: str | None = None, key: str | None = None, folded: str | None = None
    ) -> Subject | None:
        asked = {"id": subject_id, "key": key, "key_folded": folded}
        name, wanted = next((name, one) for name, one in asked.items() if one is not None)
        row = statements.SUBJECT_BY[name].find(self._connection, {"of": study, "wanted": wanted})
        return None if row is None else _subject(row)

    def groups(
        self, subjects: Sequence[str], *, removed: bool = False, oid: str | None = None, event: str | None = None,
        forms: frozenset[str] | None = None,
    ) -> dict[str, list[StoredGroup]]:  # fmt: skip
        """The item groups of these subjects, by subject id, in the order in which they were first stored.

        `oid`, `event`: only those of this definition, in this event. `forms`: only those in these.
        """
        found: dict[str, list[StoredGroup]] = {subject_id: [] for subject_id in subjects}
        for start in range(0, len(subjects), _SUBJECTS_AT_ONCE):
            chunk = list(subjects[start : start + _SUBJECTS_AT_ONCE])
            columns = schema.item_group.c
            wanted = sa.and_(
                columns.subject.in_(chunk), _among(columns.oid, None if oid is None else {oid}),
                _among(columns.event, None if event is None else {event}), _among(columns.form, forms),
            )  # fmt: skip
            for group in self._groups(wanted, removed=removed):
                found[group.subject_id].append(group)
        return found

    def find_group(self, subject_id: str, place: Sequence[str | None]) -> StoredGroup | None:
        """The item group at (event, repeat, form, repeat, group, repeat), a removed one too."""
        asked = {"of": subject_id, **{name: part or "" for name, part in zip(statements.PLACE, place, strict=True)}}
        row = statements.GROUP_AT.find(self._connection, asked)
        if row is None:
            return None
        items = statements.ITEMS_OF.execute(self._connection, {"row": row.id})
        return _group(row, tuple(ItemValue(one.oid, one.value, one.unit) for one in items))

    def counted(self, study: str) -> Counter[tuple[str, str | None, str]]:
        """How many item groups there are, by definition, site of the subject, and form."""
        group, subject = schema.item_group.c, schema.subject.c
        by = (group.oid, subject.site, group.form)
        chosen = (
            sa.select(*by, sa.func.count())
            .join(schema.subject, subject.id == group.subject)
            .where(subject.study == study, group.removed.is_(False))
            .group_by(*by)
        )
        return Counter({(oid, site, form): count for oid, site, form, count in self._connection.execute(chosen)})

    def rows(
        self, study: str, oid: str, places: Iterable[tuple[str | None, str]], *, offset: int, limit: int | None
    ) -> Iterator[tuple[Subject, StoredGroup]]:
        """The item groups of a definition in the order in which they came, of these sites and forms."""
        group, subject = schema.item_group.c, schema.subject.c
        allowed = [(site or "", form) for site, form in places]
        chosen = (
            sa.select(group.id, schema.subject, statements.AT_CLOSED_SITE)
            .join(schema.subject, subject.id == group.subject)
            .where(
                subject.study == study, group.oid == oid, group.removed.is_(False),
                sa.tuple_(sa.func.coalesce(subject.site, ""), group.form).in_(allowed),
            )
            .order_by(group.id)
        )  # fmt: skip
        last, left = 0, limit
        while left is None or left > 0:
            page = chosen.where(group.id > last).offset(offset).limit(min(_ROWS_AT_ONCE, left or _ROWS_AT_ONCE))
            found = {row[0]: _subject(row) for row in self._connection.execute(page)}
            if not found:
                return
            for one in sorted(self._groups(group.id.in_(list(found)), removed=False), key=lambda one: one.row):
                yield found[one.row], one
            last, offset, left = max(found), 0, None if left is None else left - len(found)

    def find_batch(self, batch_id: str) -> Batch | None:
        columns = schema.batch.c
        names = (columns.id, columns.study, columns.client_id, columns.file_oid, columns.sha256, columns.at)
        chosen = sa.select(*names, columns.receipt).where(columns.id == batch_id)
        row = self._connection.execute(chosen).one_or_none()
        return None if row is None else Batch(*row)

    def _groups(self, wanted: sa.ColumnElement[bool], *, removed: bool) -> Iterator[StoredGroup]:
        table = schema.item_group
        chosen = sa.select(table).where(wanted).order_by(table.c.subject, table.c.id)
        if not removed:
            chosen = chosen.where(table.c.removed.is_(False))
        rows = self._connection.execute(chosen).all()
        values = schema.item_value
        items: dict[int, list[ItemValue]] = {}
        told = sa.select(values.c.item_group, values.c.oid, values.c.value, values.c.unit)
        below = told.join(table, table.c.id == values.c.item_group).where(wanted)
        found = self._connection.execute(below.order_by(values.c.item_group, values.c.seq))
        # Many at a time: each fetch costs more than what it fetches.
        for part in found.partitions(_ITEMS_AT_ONCE):
            for group, oid, value, unit in part:
                items.setdefault(group, []).append(ItemValue(oid, value, unit))
        for row in rows:
            yield _group(row, tuple(items.get(row.id, ())))

    def audit(
        self, study: str, *, after: int, limit: int | None = None, subjects: Sequence[str] | None = None
    ) -> Iterator[ledger.Entry]:
        """Audit records of a study after a sequence number, in order, of `subjects` by id (None: all, and its own)."""
        table = schema.audit
        chosen = sa.select(*_AUDIT_COLUMNS).where(table.c.study == study, table.c.seq > after).order_by(table.c.seq)
        if subjects is not None:
            chosen = chosen.where(table.c.subject.in_(subjects))
        if limit is not None:
            chosen = chosen.limit(limit)
        return self._entries(chosen)

    def history(self, study: str, *, after: int, subjects: Sequence[str]) -> Iterator[ledger.Entry]:
        """The audit records of these subjects after a sequence number, of each of them in order; no others are read."""
        columns = schema.audit.c
        chosen = sa.select(*_AUDIT_COLUMNS).where(
            columns.study == study, columns.subject.in_(subjects), columns.seq > after
        )
        return self._entries(chosen.order_by(columns.subject, columns.seq))

    def _entries(self, chosen: sa.Select[Any]) -> Iterator[ledger.Entry]:
        for row in self._connection.execute(chosen, execution_options={"yield_per": _RECORDS_AT_ONCE}):
            yield ledger.Entry(row.seq, row.at, row.salt, row.payload, row.commitment, row.link)

    def last_time(self, study: Study) -> int:
        """Of the newest audit record; 0 when there is none."""
        columns = schema.audit.c
        chosen = sa.select(columns.at).where(columns.study == study.oid, columns.seq == study.seq)
        return int(self._connection.execute(chosen).scalar_one_or_none() or 0)

    def redacted(self, study: str) -> frozenset[int]:
        """The numbers of the audit records whose content was taken away, as others tell that were written then."""
        columns = schema.audit.c
        # What concerns no subject: of all records of a study few.
        chosen = sa.select(sa.cast(columns.payload, columns.payload.type)).where(
            columns.study == study, columns.subject.is_(None), columns.payload.is_not(None)
        )
        found: set[int] = set()
        for payload in self._connection.execute(chosen).scalars():
            with contextlib.suppress(ValueError, TypeError, AttributeError):  # a forger's; `verify` finds it
                event = json.loads(payload)
                found |= set(event["redacted"]) if event.get("action") == "redact" else set()
        return frozenset(found)

    def find_answer(self, client_id: str, key: str) -> StoredAnswer | None:
        asked = {"client": client_id, "wanted": key}
        row = statements.ANSWER_TO.find(self._connection, asked)
        if row is None:
            return None
        headers = tuple((str(name), str(value)) for name, value in json.loads(row.headers))
        return StoredAnswer(row.fingerprint, row.status, headers, bytes(row.body))


def _among(column: sa.Column[str], names: Set[str] | None) -> sa.ColumnElement[bool]:
    """What limits a question to these names; None does not."""
    return sa.true() if names is None else column.in_(sorted(names))


def read_study(row: sa.Row[*tuple[object, ...]]) -> Study:
    return Study(row.oid, row.path_key, row.name, row.protocol, row.live_version, row.seq)


def _subject(row: sa.Row[*tuple[object, ...]]) -> Subject:
    return Subject(row.id, row.study, row.key, row.site, Status(row.status), row.version, bool(row.at_closed_site))


def _group(row: sa.Row[*tuple[object, ...]], items: tuple[ItemValue, ...]) -> StoredGroup:
    data = GroupData(
        event=row.event,
        event_repeat=row.event_repeat or None,
        form=row.form,
        form_repeat=row.form_repeat or None,
        group=row.oid,
        group_repeat=row.oid_repeat or None,
        transaction=None,
        items=items,
    )
    return StoredGroup(row.id, row.subject, data, row.version, bool(row.removed))
