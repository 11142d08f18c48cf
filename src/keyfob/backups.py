"""A program's home, copied whole while the program runs: what opens it is never in the copy.

Which files are copied is the program's to say, by a list of what is, not of what is not: a file that nobody thought of
stays at home. A database on PostgreSQL is copied by pg_dump.
"""

import contextlib
import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from keyfob import home, settings
from keyfob.database import Database
from keyfob.database_url import NAME
from keyfob.postgresql import Place
from keyfob.problem import Misuse, Problem
from keyfob.settings import FILE, Setting


@dataclass(frozen=True, slots=True)
class Source:
    """`patterns`: of the files besides settings and database. `database`: how a file of a home's own is called."""

    home: Path
    settings: Sequence[Setting]
    patterns: Sequence[str]
    database: str
    where: Path | Place

    @property
    def copies_database(self) -> bool:
        return not isinstance(self.where, Place)

    def files(self) -> list[str]:
        """What a copy holds besides the settings: the database, where it is a file; and files by their place."""
        found = [
            str(one.relative_to(self.home)) for pattern in self.patterns for one in sorted(self.home.glob(pattern))
        ]
        return [self.database, *found] if self.copies_database else found

    def dump_command(self, folder: Path) -> str | None:
        """What copies a database that is not a file."""
        if self.copies_database:
            return None
        return f"pg_dump --format=custom --file={folder / 'keyfob.dump'} --dbname='{self.where}'"


def check_new(folder: Path) -> None:
    """Raises Misuse when `folder` is there."""
    if folder.exists():
        raise Misuse("file-exists", f"{folder} already exists", hint="name a new folder: nothing is overwritten")


def copy(source: Source, folder: Path, *, copy_database: Callable[[Path], None]) -> None:
    """The copy, whole under its name or not there. Raises Problem."""
    # A copy that was broken off keeps another name.
    draft = folder.with_name(f".{folder.name}.{os.getpid()}.unfinished")
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        draft.mkdir(mode=0o700)
        if source.copies_database:
            copy_database(draft / source.database)
        for name in source.files():
            if name != source.database:
                (draft / name).parent.mkdir(mode=0o700, exist_ok=True)
                home.write_file(draft / name, (source.home / name).read_bytes())
        content = (source.home / FILE).read_bytes()
        home.write_file(draft / FILE, _with_its_own_database(source, content) if source.copies_database else content)
        draft.replace(folder)
        home.sync_folder(folder.parent)
    except OSError as failed:
        raise Problem(
            "backup-failed", f"{folder} cannot be written: {failed.strerror}", hint="name another folder"
        ) from failed
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def copy_sqlite(database: Database, path: Path) -> None:
    """A consistent copy of an SQLite database as one new file, while others read and write. Raises Misuse."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise Misuse("file-exists", f"{path} already exists", hint="name a new folder") from None
    with database.read() as connection, contextlib.closing(sqlite3.connect(path)) as target:
        source = connection.connection.driver_connection
        assert isinstance(source, sqlite3.Connection)
        source.backup(target)


def _with_its_own_database(source: Source, content: bytes) -> bytes:
    """The settings of a home whose database lies in it, as that of a backup does, wherever the live one is."""
    values = settings.read(source.settings, content, where=FILE)
    return content if values.pop(NAME, None) is None else settings.write(source.settings, values)
