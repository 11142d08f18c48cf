"""Which database an installation is kept in: the one way to name it, for the setting, the flags and the environment."""

from pathlib import Path

from keyfob.postgresql import Place
from keyfob.problem import Misuse
from keyfob.settings import Setting, Value, sqlite_url, text

VARIABLE = "KEYFOB_DATABASE_URL"
PASSWORD_HINT = f"put it into {VARIABLE}, or into a pass file (PGPASSFILE, or passfile= in the URL)"


def read(url: str, *, home: Path) -> Path | Place:
    """A SQLite file, or a place of PostgreSQL; relative paths start at `home`. Raises ValueError, without the URL."""
    if url.startswith("postgres"):
        return Place.parse(url).under(home)
    return home / sqlite_url(url).removeprefix("sqlite:///")


def write(chosen: Path | Place) -> str:
    """What `read` reads, from wherever; without a password."""
    return str(chosen) if isinstance(chosen, Place) else f"sqlite:///{chosen.absolute()}"


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


def _checked(value: Value) -> str:
    url = text(value)
    read(url, home=Path())
    return url


def _shown(value: Value) -> str:
    return write(read(str(value), home=Path())) if str(value).startswith("postgres") else str(value)


SETTING = Setting(
    "database",
    "url",
    "sqlite:///keyfob.db",
    "sqlite:///PATH (a relative path starts at the home), or postgresql://USER@HOST/NAME; a password never here.",
    _checked,
    shown=_shown,
)
