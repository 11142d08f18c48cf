"""The clinical database as the API and the commands use it: snapshots to read, one transaction to change."""

import contextlib
import hmac
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import sqlalchemy as sa

from keyfob import backups, ledger, moving
from keyfob.ambient import Entropy
from keyfob.cdms.storage import proving, times
from keyfob.cdms.storage.reading import Reading
from keyfob.cdms.storage.records import Actor
from keyfob.cdms.storage.schema import TABLES, installation
from keyfob.cdms.storage.writing import Writing, study_key
from keyfob.database import Database, open_sqlite
from keyfob.problem import Problem
from keyfob.secret import Secret
from keyfob.shared_writes import SharedWrites


class Store:
    """Safe to use from threads."""

    def __init__(self, database: Database, *, chain_key: Secret, entropy: Entropy) -> None:
        self._database = database
        self._shared = SharedWrites(database)
        self._chain_key = chain_key
        self._entropy = entropy

    @contextlib.contextmanager
    def reading(self) -> Iterator[Reading]:
        """One snapshot for all questions of the block."""
        with self._database.read() as connection:
            yield Reading(connection)

    @contextlib.contextmanager
    def writing(self, *, actor: Actor, now: int) -> Iterator[Writing]:
        """One transaction: the changes and their audit records come together or not at all."""
        with self._shared.write() as connection:
            writing = Writing(connection, chain_key=self._chain_key, entropy=self._entropy, actor=actor, now=now)
            yield writing
            writing.finish()

    def together(self) -> contextlib.AbstractContextManager[None]:
        """What this thread writes within the block is one transaction on SQLite (see keyfob.shared_writes)."""
        return self._shared.together()

    @property
    def has_many_writers(self) -> bool:
        """Whether writers run side by side; else there is one at a time."""
        return self._database.has_many_writers

    def audit_verdict(self, study: str, *, expect: ledger.Head | None = None) -> ledger.Verdict:
        """Whether the audit trail of a study is whole."""
        with self.reading() as reading:
            key, redacted = study_key(self._chain_key, study), reading.redacted(study)
            verdict = ledger.verify(reading.audit(study, after=0), key, expect=expect, redacted=redacted)
            known = reading.find_study(oid=study)
        if known is None or known.seq == verdict.head.sequence:
            return verdict
        cut = f"the study counts {known.seq} changes, but the log ends at {verdict.head.sequence}"
        return replace(verdict, findings=(*verdict.findings, cut))

    def use_proofs(self, proofs: Sequence[tuple[bytes, int]], *, forget_before: int, patience: float) -> frozenset[int]:
        """See proving.use. Raises Problem when that cannot be written within `patience` seconds."""
        with self._database.write(patience=patience) as connection:
            return proving.use(connection, proofs, forget_before=forget_before)

    @property
    def sqlite_file(self) -> Path | None:
        """Where the SQLite database is; None on PostgreSQL."""
        where = None if self.has_many_writers else self._database.engine.url.database
        return None if where is None else Path(where)

    @property
    def connections(self) -> int:
        """How many transactions there can be at once."""
        return self._database.connections

    @contextlib.contextmanager
    def alone(self) -> Iterator[sa.Connection]:
        """Nobody else writes for the block. Raises Problem when other nodes are connected."""
        with self._database.write() as connection:
            moving.take_alone(connection, TABLES)
            yield connection

    def check_clock(self, now: int) -> None:
        """Raises Problem when the clock is behind a record of any audit trail."""
        with self.reading() as reading:
            for study in reading.studies():
                times.following(reading.last_time(study), now=now)

    def copy_to(self, path: Path, *, epoch: str) -> None:
        """See backups.copy_sqlite. The copy has its own epoch: however it comes back, its numbers are others."""
        backups.copy_sqlite(self._database, path)
        with contextlib.closing(open_sqlite(path)) as copied, copied.write() as connection:
            connection.execute(sa.update(installation).values(epoch=epoch))
        path.with_name(f"{path.name}.lock").unlink()

    def heads(self) -> dict[str, str]:
        """The head of each study's audit trail, by its OID. Raises Problem when one is not whole."""
        with self.reading() as reading:
            studies = [study.oid for study in reading.studies()]
        return {study: str(self.check_audit(study).head) for study in studies}

    def check_audit(self, study: str, *, expect: ledger.Head | None = None) -> ledger.Verdict:
        """Raises Problem, with what speaks against it, when the audit trail of a study is not whole."""
        verdict = self.audit_verdict(study, expect=expect)
        if verdict.findings:
            shown = "".join(f"\n  {finding}" for finding in verdict.findings)
            raise Problem(
                "audit-not-whole", f"the audit trail of {study} is not whole:{shown}", hint="keep the database"
            )
        return verdict

    def on(self, database: Database) -> "Store":
        """The same on another database: the same key, to which the same audit trails belong."""
        return Store(database, chain_key=self._chain_key, entropy=self._entropy)

    def cursor_key(self) -> Secret:
        """Signs the cursors of lists."""
        return Secret(hmac.digest(self._chain_key.reveal_bytes(), b"keyfob cdms cursor", "sha256"))

    def close(self) -> None:
        self._database.close()
