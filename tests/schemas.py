"""What the tests of a schema have in common, whichever program's it is: where it comes from, and frozen dumps of it.

The commit that brings a migration freezes a dump of a database in its form, `dumps/REVISION.KIND.sql`, which is never
changed after: `KEYFOB_FREEZE=1 pytest PATH/test_upgrades.py` writes those that are missing.
"""

import contextlib
import os
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from databases import Postgresql, name_of, open_database
from keyfob.database import Database
from keyfob.databases import Tables
from keyfob.moving import go_on_counting

Place = Path | str


def config(tables: Tables) -> Config:
    found = Config()
    found.set_main_option("script_location", tables.migrations)
    return found


def revisions(tables: Tables) -> list[str]:
    return sorted(one.revision for one in ScriptDirectory.from_config(config(tables)).walk_revisions())


def described(opened: Database, tables: Tables) -> dict[str, object]:
    """What alembic does not compare: checks, partial indexes and their words."""
    found = {}
    inspector = sa.inspect(opened.engine)
    for table in tables.metadata.tables:
        found[table] = (
            sorted((check["name"], check["sqltext"]) for check in inspector.get_check_constraints(table)),
            sorted((one["name"], one["unique"], str(one["dialect_options"])) for one in _indexes(inspector, table)),
            sorted(str(sorted(key.items(), key=str)) for key in inspector.get_foreign_keys(table)),
        )
    return found


def _indexes(inspector, table):
    """Indexes, the condition of a partial one as its text."""
    for index in inspector.get_indexes(table):
        options = {name: str(value) for name, value in index.get("dialect_options", {}).items()}
        yield {**index, "dialect_options": options}


def thaw(
    file: Path, tables: Tables, source: Callable[[], tuple[str, Database]], new_place: Callable[[], Place],
    get_cluster: Callable[[], Postgresql],
) -> tuple[Place, str]:  # fmt: skip
    """A database made of the dump in `file`, and the first line of that, which says what is in it.

    `source`, where a dump is to be frozen: that line, and a database of the newest form.
    """
    revision = file.name.partition(".")[0]
    if not file.exists() and os.environ.get("KEYFOB_FREEZE"):
        file.parent.mkdir(exist_ok=True)
        said, opened = source()
        file.write_text(f"-- {said}\n{_freeze(opened, tables, revision, new_place(), get_cluster)}")
    assert file.exists(), f"no dump was frozen of schema {revision}: see the first lines of {__file__}"
    text, place = file.read_text(), new_place()
    if isinstance(place, Path):
        with contextlib.closing(sqlite3.connect(place)) as connection:
            connection.executescript(text)
    else:
        get_cluster().sql(f"SET ROLE keyfob;\n{text}", name_of(place))
    return place, text.partition("\n")[0].removeprefix("-- ")


def _freeze(
    newest: Database, tables: Tables, revision: str, place: Place, get_cluster: Callable[[], Postgresql]
) -> str:
    """The rows of a database as it is now, in the form that `revision` had."""
    with contextlib.closing(open_database(place)) as old:
        settings = config(tables)
        with old.write() as connection:
            settings.attributes["connection"] = connection
            command.upgrade(settings, revision)
        former = sa.MetaData()
        former.reflect(old.engine)
        with newest.read() as source, old.write() as target:
            for table in tables.metadata.sorted_tables:
                if table.name not in former.tables:
                    continue
                columns = former.tables[table.name].c.keys()
                for row in source.execute(sa.select(table)).all():
                    values = {name: value for name, value in row._asdict().items() if name in columns}
                    target.execute(sa.insert(former.tables[table.name]).values(values))
                go_on_counting(target, table)
    if isinstance(place, Path):
        with contextlib.closing(sqlite3.connect(place)) as connection:
            return "\n".join(connection.iterdump()) + "\n"
    told = re.compile(r"(--|SET |SELECT pg_catalog.set_config|\\(un)?restrict)")
    kept = [line for line in get_cluster().dump(name_of(place)).splitlines() if not told.match(line)]
    return re.sub(r"\n{2,}", "\n", "\n".join(kept)).strip() + "\n"
