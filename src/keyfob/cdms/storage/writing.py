"""What can be changed inside a transaction; every change writes its own audit record, numbered by the study."""

import hmac
import json
import zlib

import sqlalchemy as sa

from keyfob import ledger
from keyfob.ambient import Entropy
from keyfob.cdms.odm.model import Design, GroupData, ItemValue, Site
from keyfob.cdms.storage import schema
from keyfob.cdms.storage.reading import Reading
from keyfob.cdms.storage.records import Actor, StoredAnswer, StoredGroup, Study, Subject
from keyfob.secret import Secret

ANSWERS_KEPT = 30 * 24 * 3600
"""Seconds for which the same request is given the same answer again."""


def study_key(chain_key: Secret, study: str) -> Secret:
    """Each study's chain under a key of its own, so that no record can be moved from one study to another."""
    return Secret(hmac.digest(chain_key.reveal_bytes(), b"keyfob cdms audit\0" + study.encode(), "sha256"))


def fold(key: str) -> str:
    """Subject keys that differ only by case or surrounding space are the same to a person."""
    return key.strip().casefold()


class Writing:
    """The one writer's hands. `reading` asks inside the same transaction."""

    def __init__(
        self, connection: sa.Connection, *, chain_key: Secret, entropy: Entropy, actor: Actor, now: int
    ) -> None:
        self._connection = connection
        self._chain_key = chain_key
        self._entropy = entropy
        self._actor = actor
        self._now = now
        self.reading = Reading(connection)

    def add_installation(self, installation_id: str, epoch: str) -> None:
        self._connection.execute(
            sa.insert(schema.installation).values(id=1, installation_id=installation_id, epoch=epoch)
        )

    def put_version(self, design: Design, body: bytes, sha256: str, *, path_key: str, live: bool) -> None:
        """A study's design, the study made if need be, live unless it is to stay a draft."""
        if self.reading.find_study(oid=design.study_oid) is None:
            self._connection.execute(
                sa.insert(schema.study).values(
                    oid=design.study_oid, path_key=path_key, name=design.study_name, protocol=design.protocol_name,
                    live_version=None, seq=0, head=ledger.GENESIS,
                )
            )  # fmt: skip
        self._connection.execute(
            sa.insert(schema.metadata_version).values(
                study=design.study_oid, oid=design.version_oid, body=body, sha256=sha256, loaded_at=self._now
            )
        )
        self._record(design.study_oid, None, {"action": "load", "version": design.version_oid, "sha256": sha256})
        if live:
            self._connection.execute(
                sa.update(schema.study)
                .where(schema.study.c.oid == design.study_oid)
                .values(live_version=design.version_oid, name=design.study_name, protocol=design.protocol_name)
            )
            self._record(design.study_oid, None, {"action": "live", "version": design.version_oid})

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

    def add_subject(self, subject: Subject, *, reason: str | None) -> None:
        self._connection.execute(
            sa.insert(schema.subject).values(
                id=subject.id, study=subject.study, key=subject.key, key_folded=fold(subject.key), site=subject.site,
                status=subject.status.value, version=subject.version, created_at=self._now,
            )
        )  # fmt: skip
        new = {"key": subject.key, "site": subject.site, "status": subject.status.value}
        self._record(subject.study, subject.id, {"action": "register", "new": new, "reason": reason})

    def put_group(
        self, study: Study, subject: Subject, data: GroupData, existing: StoredGroup | None, *, version: str
    ) -> int:
        """The row of the group at this place, its version moved on; made if need be."""
        table = schema.item_group
        if existing is not None:
            self._connection.execute(
                sa.update(table)
                .where(table.c.id == existing.row)
                .values(version=existing.version + 1, removed=False, metadata_version=version)
            )
            return existing.row
        event, event_repeat, form, form_repeat, group, group_repeat = (part or "" for part in data.place)
        made = self._connection.execute(
            sa.insert(table).values(
                subject=subject.id, event=event, event_repeat=event_repeat, form=form, form_repeat=form_repeat,
                oid=group, oid_repeat=group_repeat, metadata_version=version, version=1, removed=False,
            )
        )  # fmt: skip
        key = made.inserted_primary_key
        assert key is not None
        return int(key[0])

    def put_item(
        self, study: Study, subject: Subject, data: GroupData, row: int, item: ItemValue, old: ItemValue | None, *,
        reason: str | None, batch: str | None, soft_checks: list[str],
    ) -> None:  # fmt: skip
        table = schema.item_value
        seq = self._record(
            study.oid,
            subject.id,
            {
                "action": "insert" if old is None else "update",
                "place": _place(data, item.oid),
                "old": None if old is None else _value(old),
                "new": _value(item),
                "reason": reason,
                "batch": batch,
                "soft_checks": soft_checks or None,
            },
        )
        values = {"value": item.value, "unit": item.unit, "seq": seq}
        if old is None:
            self._connection.execute(sa.insert(table).values(item_group=row, oid=item.oid, **values))
        else:
            here = (table.c.item_group == row) & (table.c.oid == item.oid)
            self._connection.execute(sa.update(table).where(here).values(values))

    def remove_item(
        self, study: Study, subject: Subject, data: GroupData, row: int, old: ItemValue, *, reason: str | None,
        batch: str | None,
    ) -> None:  # fmt: skip
        """Take a value away; what it was stays in the audit trail."""
        place = _place(data, old.oid)
        event: dict[str, object] = {
            "action": "remove",
            "place": place,
            "old": _value(old),
            "reason": reason,
            "batch": batch,
        }
        self._record(study.oid, subject.id, event)
        table = schema.item_value
        self._connection.execute(sa.delete(table).where(table.c.item_group == row, table.c.oid == old.oid))

    def remove_group(self, group: StoredGroup) -> None:
        """Mark a group as removed, its values having been removed before."""
        table = schema.item_group
        self._connection.execute(
            sa.update(table).where(table.c.id == group.row).values(removed=True, version=group.version + 1)
        )

    def keep_answer(self, client_id: str, key: str, answer: StoredAnswer) -> None:
        """Keep it for ANSWERS_KEPT; older ones of anybody are forgotten on the way."""
        self._connection.execute(sa.delete(schema.answer).where(schema.answer.c.at < self._now - ANSWERS_KEPT))
        self._connection.execute(
            sa.insert(schema.answer).values(
                client_id=client_id, key=key, fingerprint=answer.fingerprint, status=answer.status,
                headers=json.dumps(answer.headers), body=answer.body, at=self._now,
            )
        )  # fmt: skip

    def keep_batch(self, batch_id: str, study: str, *, file_oid: str, sha256: str, body: bytes) -> None:
        self._connection.execute(
            sa.insert(schema.batch).values(
                id=batch_id, study=study, client_id=self._actor.client_id or "", file_oid=file_oid, sha256=sha256,
                body=zlib.compress(body), at=self._now,
            )
        )  # fmt: skip

    def _record(self, study: str, subject_id: str | None, event: dict[str, object]) -> int:
        """Number, commit to and chain one event. The study's row holds number and head, so there is one next."""
        table = schema.study
        row = self._connection.execute(sa.select(table.c.seq, table.c.head).where(table.c.oid == study)).one()
        seq = int(row.seq) + 1
        who = {"client_id": self._actor.client_id, "token_id": self._actor.token_id, "operator": self._actor.operator}
        document = {name: value for name, value in {**event, **who}.items() if value is not None}
        if subject_id is not None:
            document["subject_id"] = subject_id
        payload = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        salt = self._entropy(ledger.SALT_BYTES)
        commitment = ledger.commit(salt, payload)
        key = study_key(self._chain_key, study)
        link = ledger.link(key, bytes(row.head), sequence=seq, at=self._now, commitment=commitment)
        self._connection.execute(
            sa.insert(schema.audit).values(
                study=study, seq=seq, at=self._now, subject=subject_id, salt=salt, payload=payload,
                commitment=commitment, link=link,
            )
        )  # fmt: skip
        self._connection.execute(sa.update(table).where(table.c.oid == study).values(seq=seq, head=link))
        return seq


def _place(data: GroupData, item: str) -> dict[str, str | None]:
    return {
        "event": data.event,
        "event_repeat": data.event_repeat,
        "form": data.form,
        "form_repeat": data.form_repeat,
        "item_group": data.group,
        "item_group_repeat": data.group_repeat,
        "item": item,
    }


def _value(item: ItemValue) -> dict[str, str | None]:
    return {"value": item.value, "unit": item.unit} if item.unit is not None else {"value": item.value}
