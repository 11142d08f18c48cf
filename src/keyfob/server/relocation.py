"""An installation moves to another database, SQLite or PostgreSQL, whole or not at all; the old one is not changed."""

from collections.abc import Mapping
from pathlib import Path

from keyfob import database_url, home, moving
from keyfob.ambient import Entropy
from keyfob.moving import Moved
from keyfob.postgresql import Place
from keyfob.problem import Problem
from keyfob.server import settings
from keyfob.server.audit.events import Acting, Kind
from keyfob.server.installation import Installation
from keyfob.server.storage.schema import TABLES


def move(
    found: Installation, target: Path | Place, *, now: int, actor: Acting, environ: Mapping[str, str], entropy: Entropy
) -> tuple[Moved, str]:
    """What was moved, and the new head of the audit trail.

    The settings are the last to be written: until that moment, a crash included, the old database is in force. Raises
    Misuse when `target` is not empty, Problem when anything else fails: nothing has changed then.
    """
    old, owner = found.settings.database, found.home.installation_id
    file = found.home.path / settings.FILE
    pointed = settings.replaced(file.read_bytes(), database_url.NAME, database_url.write(target), where=str(file))
    with found.store.alone() as source:
        with moving.copied(source, target, TABLES, installation_id=owner, environ=environ) as (made, counts):
            store = found.store.on(made)
            if store.audit_verdict() != found.store.audit_verdict():
                raise Problem("move-differs", "the audit trail is not the same in its new place", hint="move it again")
            with store.change(now=now, actor=actor) as change:
                change.record(Kind.STORE_MOVED, source=str(old), target=str(target))
            head = str(store.audit_head())
        home.write_file(file, pointed)
    return Moved(counts, old, target), head
