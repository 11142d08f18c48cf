"""Clinical data move to another database, SQLite or PostgreSQL, whole or not at all; the old one is not changed."""

from collections.abc import Mapping
from pathlib import Path

from keyfob import database_url, home, moving
from keyfob import settings as homes
from keyfob.cdms.installation import Installation
from keyfob.cdms.settings import SETTINGS
from keyfob.cdms.storage.schema import TABLES
from keyfob.cdms.storage.store import Store
from keyfob.moving import Moved
from keyfob.postgresql import Place
from keyfob.problem import Problem


def move(found: Installation, target: Path | Place, *, environ: Mapping[str, str]) -> tuple[Moved, dict[str, str]]:
    """What was moved, and the head of each study's audit trail, by its OID.

    The settings are the last to be written: until that moment, a crash included, the old database is in force. Raises
    Misuse when `target` is not empty, Problem when anything else fails: nothing has changed then.
    """
    file, owner = found.home.path / homes.FILE, found.home.installation_id
    pointed = homes.replaced(
        SETTINGS, file.read_bytes(), database_url.NAME, database_url.write(target), where=str(file)
    )
    with found.store.alone() as source:
        with moving.copied(source, target, TABLES, installation_id=owner, environ=environ) as (made, counts):
            heads = _check_same(found.store, found.store.on(made))
        home.write_file(file, pointed)
    return Moved(counts, found.settings.database, target), heads


def _check_same(old: Store, new: Store) -> dict[str, str]:
    with new.reading() as reading:
        studies = [study.oid for study in reading.studies()]
    heads = {}
    for study in studies:
        verdict = new.audit_verdict(study)
        if verdict != old.audit_verdict(study):
            raise Problem(
                "move-differs", f"the audit trail of {study} is not the same in its new place", hint="move it again"
            )
        heads[study] = str(verdict.head)
    return heads
