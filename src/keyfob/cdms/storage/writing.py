"""What can be changed inside a transaction; every change writes its own audit record, numbered by the study.

Who changes a study has taken it first, and has it alone until the transaction ends: so its numbers come in the order of
commits, and a reader that has seen one has seen all before it. Rows are written many at a time.
"""

import hashlib
import hmac
import json
import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from keyfob import ledger
from keyfob.ambient import Entropy
from keyfob.cdms import events
from keyfob.cdms.odm.model import Design, GroupData, ItemValue, Site
from keyfob.cdms.storage import redacting, schema, statements, times
from keyfob.cdms.storage.reading import Reading, read_study
from keyfob.cdms.storage.records import Actor, StoredAnswer, StoredGroup, Study, Subject
from keyfob.cdms.storage.waiting import Waiting
from keyfob.problem import Problem
from keyfob.secret import Secret

ANSWERS_KEPT = 30 * 24 * 3600
"""Seconds for which the same request is given the same answer again."""


def study_key(chain_key: Secret, study: str) -> Secret:
    """Each study's chain under a key of its own, so that no record can be moved from one study to another."""
    return Secret(hmac.digest(chain_key.reveal_bytes(), b"keyfob cdms audit\0" + study.encode(), "sha256"))


def fold(key: str) -> str:
    """Subject keys that differ only by case or surrounding space are the same to a person."""
    return key.strip().casefold()


_ENCODE = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode
_AT_ONCE = 1000
"""Rows that wait to be written."""
_ANSWERS = 0x6B68
"""The class of the advisory locks of Idempotency-Keys; those below are taken (keyfob.postgresql)."""


@dataclass(slots=True)
class _Trail:
    """The end of the audit trail of a study that was taken."""

    key: Secret
    seq: int
    head: bytes
    began: int
    at: int


class Writing:
    """A writer's hands. `reading` asks inside the same transaction. `settle` before what was changed is asked for."""

    def __init__(
        self, connection: sa.Connection, *, chain_key: Secret, entropy: Entropy, actor: Actor, now: int
    ) -> None:
        self._connection = connection
        self._chain_key = chain_key
        self._entropy = entropy
        self._actor = actor
        self._now = now
        self._trails: dict[str, _Trail] = {}
        self._waiting = Waiting(connection)
        self.reading = Reading(connection)

    def take(self, study: str) -> Study | None:
        """The study as it is now; to the end of the transaction it is this writer's alone. None when there is none."""
        row = statements.TAKE_STUDY.find(self._connection, {"wanted": study})
        if row is None:
            return None
        if study not in self._trails:
            key = study_key(self._chain_key, study)
            at = times.following(int(row.last_at or 0), now=self._now)
            self._trails[study] = _Trail(key, int(row.seq), bytes(row.head), began=int(row.seq), at=at)
        return read_study(row)

    def take_all(self, studies: Iterable[str]) -> None:
        """Those of them that there are, in one order, so that no two writers wait for each other; new ones are ours."""
        # Who makes a study has the installation's row: of two who make the same one, the second finds it made.
        self._connection.execute(sa.select(schema.installation.c.id).with_for_update())
        for study in sorted(set(studies)):
            self.take(study)

    def add_installation(self, installation_id: str, epoch: str) -> None:
        self._connection.execute(
            sa.insert(schema.installation).values(id=1, installation_id=installation_id, epoch=epoch)
        )

    def begin_epoch(self, epoch: str) -> None:
        """From here on the sequence numbers are others': what came after them once is no longer there."""
        self._connection.execute(sa.update(schema.installation).values(epoch=epoch))
        studies = [study.oid for study in self.reading.studies()]
        self.take_all(studies)
        for study in studies:
            self._record(study, None, {"action": "restore", "epoch": epoch})

    def put_version(
        self, design: Design, body: bytes, sha256: str, *, path_key: str, live: bool, reason: str | None = None
    ) -> None:
        """A study's design, the study made if need be, live unless it is to stay a draft."""
        if self.reading.find_study(oid=design.study_oid) is None:
            self._connection.execute(
                sa.insert(schema.study).values(
                    oid=design.study_oid, path_key=path_key, name=design.study_name, protocol=design.protocol_name,
                    live_version=None, seq=0, head=ledger.GENESIS,
                )
            )  # fmt: skip
            self.take(design.study_oid)
        self._connection.execute(
            sa.insert(schema.metadata_version).values(
                study=design.study_oid, oid=design.version_oid, body=body, sha256=sha256, loaded_at=self._now
            )
        )
        self._record_version("load", design, reason, sha256=sha256)
        if live:
            self.make_live(design, reason=reason)

    def replace_draft(self, design: Design, body: bytes, sha256: str, *, reason: str | None) -> None:
        """Another document for a version that never was live."""
        values = {"body": body, "sha256": sha256, "loaded_at": self._now}
        self._connection.execute(sa.update(schema.metadata_version).where(_of(design)).values(values))
        self._record_version("load", design, reason, sha256=sha256)

    def make_live(self, design: Design, *, reason: str | None) -> None:
        """From now on data are taken by this version; it never changes again."""
        self._connection.execute(
            sa.update(schema.study)
            .where(schema.study.c.oid == design.study_oid)
            .values(live_version=design.version_oid, name=design.study_name, protocol=design.protocol_name)
        )
        self._connection.execute(sa.update(schema.metadata_version).where(_of(design)).values(live_at=self._now))
        self._record_version("live", design, reason)

    def _record_version(self, action: str, design: Design, reason: str | None, **more: str) -> None:
        event: dict[str, object] = {"action": action, "version": design.version_oid, "reason": reason, **more}
        self._record(design.study_oid, None, event)

    def put_site(self, study: str, site: Site) -> bool:
        """Whether the site is new; a known one keeps its place and takes the name."""
        table = schema.site
        here = (table.c.study == study) & (table.c.oid == site.oid)
        old = self._connection.execute(sa.select(table.c.name).where(here)).scalar_one_or_none()
        if old is None:
            self._connection.execute(sa.insert(table).values(study=study, oid=site.oid, name=site.name))
        elif old != site.name:
            self._connection.execute(sa.update(table).where(here).values(name=site.name))
        if old != site.name:
            self._record(study, None, {"action": "site", "site": site.oid, "name": site.name})
        return old is None

    def close_site(self, study: str, oid: str, *, closes: bool, reason: str) -> bool:
        """Whether that changes anything: no data are taken for the subjects of a closed site, until it opens again."""
        table = schema.site
        is_closed = oid in self.reading.closed_sites(study)
        if closes != is_closed:
            here = (table.c.study == study) & (table.c.oid == oid)
            self._connection.execute(sa.update(table).where(here).values(closed_at=self._now if closes else None))
            status = "closed" if closes else "open"
            self._record(study, None, {"action": "site", "site": oid, "status": status, "reason": reason})
        return closes != is_closed

    def add_subject(self, subject: Subject, *, reason: str | None) -> None:
        row = {
            "id": subject.id, "study": subject.study, "key": subject.key, "key_folded": fold(subject.key),
            "site": subject.site, "status": subject.status.value, "version": subject.version, "created_at": self._now,
        }  # fmt: skip
        self._waiting.change(statements.INSERT_SUBJECT, row)
        new = {"key": subject.key, "site": subject.site, "status": subject.status.value}
        self._record(subject.study, subject.id, {"action": "register", "new": new, "reason": reason})

    def change_subject(self, old: Subject, new: Subject, *, reason: str) -> None:
        """Another status, or another site, of the version that follows."""
        self._connection.execute(
            sa.update(schema.subject)
            .where(schema.subject.c.id == old.id)
            .values(site=new.site, status=new.status.value, version=new.version)
        )
        changed = [name for name in ("site", "status") if getattr(old, name) != getattr(new, name)]
        was, now = ({name: getattr(one, name) for name in changed} for one in (old, new))
        self._record(old.study, old.id, {"action": "change-subject", "old": was, "new": now, "reason": reason})

    def put_groups(
        self, groups: Sequence[tuple[Subject, GroupData, StoredGroup | None]], *, version: str
    ) -> tuple[int, ...]:
        """The row of the group at each of these places, with its version moved on; made where there is none.

        Raises Problem when one of them is no longer as it was seen.
        """
        self.settle()
        known = [existing for _, _, existing in groups if existing is not None]
        again = [
            {
                "row": one.row, "seen": one.version,
                "new_version": one.version + 1, "new_removed": False, "new_metadata_version": version,
            }
            for one in known
        ]  # fmt: skip
        if again and statements.UPDATE_GROUP.run(self._connection, again) != len(again):
            raise Problem("changed-meanwhile", "an item group was changed meanwhile", hint="try again")
        fresh = [_group_row(subject, data, version) for subject, data, existing in groups if existing is None]
        made = iter(self._make_groups(fresh))
        return tuple(next(made) if existing is None else existing.row for _, _, existing in groups)

    def _make_groups(self, fresh: Sequence[Mapping[str, object]]) -> Sequence[int]:
        if len(fresh) <= 1:
            named = [{f"new_{name}": value for name, value in one.items()} for one in fresh]
            return [int(statements.INSERT_GROUP.find(self._connection, one).id) for one in named]
        if self._connection.dialect.name != "sqlite":
            return self._connection.execute(statements.INSERT_GROUPS, fresh).scalars().all()
        # One writes at a time, so the numbers that follow are ours: to be told each of them takes three times as long.
        first = (statements.LAST_GROUP.find(self._connection, {}).id or 0) + 1
        for number, group in enumerate(fresh, first):
            self._waiting.add(schema.item_group, (number, *group.values()))
        self.settle()
        return range(first, first + len(fresh))

    def put_item(
        self, study: Study, subject: Subject, data: GroupData, row: int, item: ItemValue, old: ItemValue | None, *,
        reason: str | None, batch: str | None, soft_checks: list[str],
    ) -> None:  # fmt: skip
        seq = self._record(
            study.oid,
            subject.id,
            {
                "action": "insert" if old is None else "update",
                "place": events.write_place(data, item.oid),
                "old": None if old is None else events.write_value(old),
                "new": events.write_value(item),
                "reason": reason,
                "batch": batch,
                "soft_checks": soft_checks or None,
            },
        )
        if old is None:
            self._waiting.add(schema.item_value, (row, item.oid, item.value, item.unit, seq))
        else:
            changed = {"new_value": item.value, "new_unit": item.unit, "new_seq": seq}
            self._waiting.change(statements.UPDATE_ITEM, {"row": row, "item": item.oid, **changed})

    def put_row(
        self, study: Study, subject: Subject, data: GroupData, row: int, new: Sequence[ItemValue],
        old: Mapping[str, ItemValue], *, reason: str | None, batch: str | None,
        soft_checks: Mapping[str, Sequence[str]],
    ) -> None:  # fmt: skip
        """All items of a group that change, under one record; one without a value in `new` is taken away.

        `old` has what each of them was, if it was there; `soft_checks` what each of them does not pass.
        """
        event: dict[str, object] = {
            "action": "update" if old else "insert",
            "place": events.write_place(data, None),
            "old": events.write_row([old[item.oid] for item in new if item.oid in old]) if old else None,
            "new": events.write_row(new),
            "reason": reason,
            "batch": batch,
            "soft_checks": soft_checks or None,
        }
        seq = self._record(study.oid, subject.id, event)
        for item in new if old else ():
            if item.value is None:
                self._waiting.change(statements.DELETE_ITEM, {"row": row, "item": item.oid})
            elif item.oid in old:
                changed = {"new_value": item.value, "new_unit": item.unit, "new_seq": seq}
                self._waiting.change(statements.UPDATE_ITEM, {"row": row, "item": item.oid, **changed})
        fresh = [item for item in new if item.value is not None and item.oid not in old]
        self._waiting.add(schema.item_value, *[(row, item.oid, item.value, item.unit, seq) for item in fresh])

    def remove_item(
        self, study: Study, subject: Subject, data: GroupData, row: int, old: ItemValue, *, reason: str | None,
        batch: str | None,
    ) -> None:  # fmt: skip
        """Take a value away; what it was stays in the audit trail."""
        place = events.write_place(data, old.oid)
        event: dict[str, object] = {
            "action": "remove",
            "place": place,
            "old": events.write_value(old),
            "reason": reason,
            "batch": batch,
        }
        self._record(study.oid, subject.id, event)
        self._waiting.change(statements.DELETE_ITEM, {"row": row, "item": old.oid})

    def remove_group(self, group: StoredGroup) -> None:
        """Mark a group as removed, its values having been removed before."""
        table = schema.item_group
        self._connection.execute(
            sa.update(table).where(table.c.id == group.row).values(removed=True, version=group.version + 1)
        )

    def redact(self, study: str, sequences: Sequence[int], *, reason: str) -> None:
        """Takes the content of these audit records away for good, and all else that was kept of what they tell.

        Their commitments stay in the chain, and a record of its own tells which, who and why (ICH E6(R3) 4.2.2).
        Raises ValueError for one that is not there, was redacted before, concerns no subject, or tells of a value that
        is still stored: that is to be removed first, as the removal's record is to be redacted with it.
        """
        self.settle()
        for sequence in sorted(set(sequences)):
            redacting.redact(self._connection, study, sequence)
        self._record(study, None, {"action": "redact", "redacted": sorted(set(sequences)), "reason": reason})

    def claim_key(self, client_id: str, key: str) -> bool:
        """Whether the answer of that key is ours to look up and to keep until the transaction ends, or another's."""
        if self._connection.dialect.name != "postgresql":
            return True  # one writes at a time
        # Whoever sends it at once to two studies has it taken once, as on one study.
        digest = hashlib.sha256(f"{client_id} {key}".encode()).digest()
        number = int.from_bytes(digest[:4], "big", signed=True)
        return bool(self._connection.execute(sa.select(sa.func.pg_try_advisory_xact_lock(_ANSWERS, number))).scalar())

    def keep_answer(self, client_id: str, key: str, answer: StoredAnswer) -> None:
        """Keep it for ANSWERS_KEPT; older ones are forgotten on the way."""
        statements.FORGET_ANSWERS.run(self._connection, {"before": self._now - ANSWERS_KEPT})
        row = {
            "client_id": client_id, "key": key, "fingerprint": answer.fingerprint, "status": answer.status,
            "headers": json.dumps(answer.headers), "body": answer.body, "at": self._now,
        }  # fmt: skip
        statements.INSERT_ANSWER.run(self._connection, row)

    def keep_batch(
        self, batch_id: str, study: str, *, file_oid: str, sha256: str, body: bytes, receipt: object = None
    ) -> None:
        """What was sent, and what it was answered."""
        self._connection.execute(
            sa.insert(schema.batch).values(
                id=batch_id, study=study, client_id=self._actor.client_id or "", file_oid=file_oid, sha256=sha256,
                body=zlib.compress(body), at=self._now, receipt=None if receipt is None else json.dumps(receipt),
            )
        )  # fmt: skip

    def settle(self) -> None:
        """Write what waits."""
        self._waiting.settle()

    def finish(self) -> None:
        """Write what waits, and how far each study has come."""
        self.settle()
        for study, trail in self._trails.items():
            if trail.seq != trail.began:
                ended = {"wanted": study, "new_seq": trail.seq, "new_head": trail.head}
                statements.END_STUDY.run(self._connection, ended)

    def _record(self, study: str, subject_id: str | None, event: dict[str, object]) -> int:
        """Number, commit to and chain one event, of a study that was taken."""
        trail = self._trails[study]
        who = {"client_id": self._actor.client_id, "token_id": self._actor.token_id, "operator": self._actor.operator}
        document = {name: value for name, value in {**event, **who}.items() if value is not None}
        if subject_id is not None:
            document["subject_id"] = subject_id
        payload = _ENCODE(document).encode()
        salt = self._entropy(ledger.SALT_BYTES)
        commitment = ledger.commit(salt, payload)
        trail.seq += 1
        trail.head = ledger.link(trail.key, trail.head, sequence=trail.seq, at=trail.at, commitment=commitment)
        row = (study, trail.seq, trail.at, subject_id, salt, payload, commitment, trail.head)
        if self._waiting.add(schema.audit, row) >= _AT_ONCE:
            self.settle()
        return trail.seq


def _of(design: Design) -> sa.ColumnElement[bool]:
    table = schema.metadata_version
    return (table.c.study == design.study_oid) & (table.c.oid == design.version_oid)


def _group_row(subject: Subject, data: GroupData, version: str) -> dict[str, object]:
    event, event_repeat, form, form_repeat, group, group_repeat = (part or "" for part in data.place)
    return {
        "subject": subject.id, "event": event, "event_repeat": event_repeat, "form": form, "form_repeat": form_repeat,
        "oid": group, "oid_repeat": group_repeat, "metadata_version": version, "version": 1, "removed": False,
    }  # fmt: skip
