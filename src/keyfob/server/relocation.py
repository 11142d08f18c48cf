"""An installation moves to another database, SQLite or PostgreSQL, whole or not at all; the old one is not changed."""

import contextlib
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from keyfob import database, home
from keyfob.ambient import Entropy
from keyfob.database import Database
from keyfob.postgresql import Place
from keyfob.problem import Misuse, Problem
from keyfob.server import databases, installation, settings
from keyfob.server.audit.events import Acting, Kind
from keyfob.server.installation import Installation
from keyfob.server.storage import moving


@dataclass(frozen=True, slots=True)
class Moved:
    """How many rows of each table, from where, and the new head of the audit trail."""

    counts: Mapping[str, int]
    old: Path | Place
    head: str


def move(
    found: Installation, target: Path | Place, *, now: int, actor: Acting, environ: Mapping[str, str], entropy: Entropy
) -> Moved:
    """Raises Misuse when `target` is not empty, Problem when anything else fails: nothing has changed then.

    The settings are the last to be written: until that moment, a crash included, the old database is in force.
    """
    old = found.settings.database
    file = found.home.path / settings.FILE
    pointed = settings.replaced(file.read_bytes(), "database.url", databases.write(target), where=str(file))
    with found.store.alone() as source:
        with _new(target, found.home.installation_id, environ) as made:
            with made.write() as connection:
                counts = moving.copy(source, connection)
            store = found.store.on(made)
            if store.audit_verdict() != found.store.audit_verdict():
                raise Problem("move-differs", "the audit trail is not the same in its new place", hint="move it again")
            with store.change(now=now, actor=actor) as change:
                change.record(Kind.STORE_MOVED, source=str(old), target=str(target))
            head = str(store.audit_head())
        home.write_file(file, pointed)
    return Moved(counts, old, head)


@contextlib.contextmanager
def _new(target: Path | Place, installation_id: str, environ: Mapping[str, str]) -> Iterator[Database]:
    """An empty database with our tables at `target`, kept when the block ends well."""
    if isinstance(target, Place):
        with installation.new_postgresql(target, installation_id, environ) as made:
            yield made
        return
    if target.exists():
        raise Misuse("database-exists", f"{target} already exists", hint="name a new file")
    draft = target.with_name(f".{target.name}.{os.getpid()}.unfinished")
    try:
        with contextlib.closing(database.open_sqlite(draft)) as made:
            installation.upgrade(made, draft)
            yield made
        os.link(draft, target)  # unlike a rename, it never overwrites
        home.sync_folder(target.parent)
    except OSError as failed:
        raise Problem("database-place", f"the database cannot be made at {target}: {failed.strerror}") from failed
    finally:
        for name in (draft.name, f"{draft.name}.lock", f"{draft.name}-wal", f"{draft.name}-shm"):
            draft.with_name(name).unlink(missing_ok=True)
