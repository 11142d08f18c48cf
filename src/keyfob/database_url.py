"""Where a program's database is, as a URL: a SQLite file, or a place of PostgreSQL. The setting, and the flag of init.

A password comes from the variable or from a pass file, never from a command line or from keyfob.toml.
"""

from collections.abc import Mapping
from pathlib import Path

from keyfob.postgresql import Place
from keyfob.problem import Misuse
from keyfob.settings import Setting, Source, Survey, Value, text

NAME = "database.url"
VARIABLE = "KEYFOB_DATABASE_URL"
PASSWORD_HINT = f"put it into {VARIABLE}, or into a pass file (PGPASSFILE, or passfile= in the URL)"
_SQLITE = "sqlite:///"


def setting(file: str) -> Setting:
    """The one key, for a program whose database is `file` in its home unless somebody says otherwise."""
    return Setting(
        "database",
        "url",
        f"{_SQLITE}{file}",
        "sqlite:///PATH (a relative path starts at the home), or postgresql://USER@HOST/NAME; a password never here.",
        _checked,
        shown=_shown,
    )


def read(url: str, *, home: Path) -> Path | Place:
    """A SQLite file, or a place of PostgreSQL; relative paths start at `home`. Raises ValueError, without the URL."""
    if url.startswith("postgres"):
        return Place.parse(url).under(home)
    if not url.startswith(_SQLITE) or url == _SQLITE:
        raise ValueError("is not of the form sqlite:///PATH")
    return home / url.removeprefix(_SQLITE)


def write(where: Path | Place) -> str:
    """What `read` reads, from wherever; without a password."""
    return str(where) if isinstance(where, Place) else f"{_SQLITE}{where.absolute()}"


def choose(url: str, *, where: str, is_private: bool = False) -> Path | Place:
    """A database that was named by a person, at `where`; only what `is_private` may hold a password. Raises Misuse."""
    try:
        found = read(url, home=Path())
    except ValueError as wrong:
        # Not repeated: the URL may hold a password.
        raise Misuse("bad-database", f"{where} {wrong}", hint="sqlite:///PATH or postgresql://USER@HOST/NAME") from None
    if isinstance(found, Place) and found.password is not None and not is_private:
        raise Misuse("password-on-command-line", f"{where} holds a password, which others can see", hint=PASSWORD_HINT)
    return found


def choose_new(flag: str | None, environ: Mapping[str, str]) -> Path | Place | None:
    """Where `init` makes it: as --database says, else the variable; None: in the home. Raises Misuse."""
    if flag is not None:
        return choose(flag, where="--database")
    named = environ.get(VARIABLE)
    return None if named is None else choose(named, where=f"the variable {VARIABLE}", is_private=True)


def check_password(found: Survey, values: Mapping[str, Value]) -> None:
    """Raises Misuse when there is a password in the settings' file."""
    where = read(str(values[NAME]), home=Path())
    is_written = found.find(NAME).source is not Source.ENVIRONMENT
    if isinstance(where, Place) and where.password is not None and is_written:
        raise Misuse("password-in-file", f"{NAME} holds a password", hint=PASSWORD_HINT)


def _checked(value: Value) -> str:
    url = text(value)
    read(url, home=Path())
    return url


def _shown(value: Value) -> str:
    return write(read(str(value), home=Path())) if str(value).startswith("postgres") else str(value)
