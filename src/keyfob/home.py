"""A program's folder on disk: what kind it is, how it comes to be whole or not at all, and how files in it change.

Nothing here knows what a file means. Each home holds a marker file that says whose it is, so that one program never
writes into another's folder.
"""

import contextlib
import errno
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from keyfob.problem import Misuse, Problem

MARKER = "keyfob-home.json"
_IN_USE = "in-use.lock"
_VERSION = 1
_ANOTHER_PLACE = "name a new folder, in one that you may write to"


class HomeKind(StrEnum):
    SERVER = "keyfob-server"
    CDMS = "keyfob-cdms"
    VAULT = "keyfob"

    @property
    def named_by(self) -> str:
        """The option and the variable that name such a folder."""
        return "--vault DIR or KEYFOB_VAULT" if self is HomeKind.VAULT else "--home DIR or KEYFOB_HOME"


@dataclass(frozen=True, slots=True)
class Home:
    """A checked home: its folder, and the random id that every envelope in it is bound to."""

    path: Path
    kind: HomeKind
    installation_id: str


def check(path: Path, kind: HomeKind) -> Home:
    """The home at `path`. Raises Misuse when there is none, it is another program's, or of a later version."""
    try:
        marker = json.loads((path / MARKER).read_bytes())
        found = str(marker["kind"])
        version = int(marker["version"])
        installation_id = str(marker["installation_id"])
    except (FileNotFoundError, NotADirectoryError):
        raise Misuse(
            "no-home",
            f"{path} is not a {kind} home",
            hint=f"make one, or name another with {kind.named_by}: see {kind} --help",
        ) from None
    except OSError as failed:
        raise Misuse(
            "home-unreadable",
            f"{path} cannot be read: {failed.strerror}",
            hint=f"run {kind} as its owner, or name another with {kind.named_by}",
        ) from failed
    except (ValueError, KeyError, TypeError) as broken:
        raise Problem("damaged-home", f"{path / MARKER} is damaged", hint="restore it from a backup") from broken
    if found != kind:
        raise Misuse(
            "other-home", f"{path} is a home of {found}, not of {kind}", hint=f"name the right one with {kind.named_by}"
        )
    if version > _VERSION:
        raise Misuse("newer-home", f"{path} was made by a newer version of {kind}", hint=f"upgrade {kind}")
    return Home(path, kind, installation_id)


@contextlib.contextmanager
def building(path: Path, kind: HomeKind, *, installation_id: str) -> Iterator[Path]:
    """A folder to fill; it becomes `path` in one rename at the end, or leaves no trace when anything fails.

    Raises Misuse when `path` already holds something (a home is never overwritten) or cannot be made, and Problem
    when filling it fails.
    """
    try:
        _check_free(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Of its own: one of the same id may be left of a process that was killed.
        draft = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".unfinished", dir=path.parent))
    except OSError as failed:
        raise Misuse("home-place", f"{path} cannot be made: {failed.strerror}", hint=_ANOTHER_PLACE) from failed
    try:
        yield draft
        marker = {"kind": str(kind), "version": _VERSION, "installation_id": installation_id}
        write_file(draft / MARKER, json.dumps(marker, indent=1).encode() + b"\n")
        try:
            # Atomic over an absent or empty folder, and refused over a full one: two inits at once make one home.
            draft.replace(path)
        except OSError as failed:
            if failed.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
                raise Misuse("home-exists", f"{path} already exists", hint="name a new folder") from failed
            raise Problem("home-place", f"the home cannot be made at {path}: {failed.strerror}") from failed
        sync_folder(path.parent)
    except OSError as failed:
        raise Problem("home-unfinished", f"{path} was not made: {failed}", hint=_ANOTHER_PLACE) from failed
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _check_free(path: Path) -> None:
    for place in (path, *path.parents):
        if place.exists() and not place.is_dir():
            raise Misuse("home-place", f"{place} is a file, not a folder", hint=_ANOTHER_PLACE)
    if path.exists() and any(path.iterdir()):
        raise Misuse(
            "home-exists", f"{path} already exists and is not empty", hint="name a new folder: nothing is overwritten"
        )


def write_file(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Replace `path` as a whole: after a crash it holds the old content or the new, flushed to the disk."""
    # A new file under a name that nobody can foretell: the folder may be shared, and a link may lie where it goes.
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".new", dir=path.parent)
    draft = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as file:
            if os.name == "posix":
                os.fchmod(file.fileno(), mode)
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_new_file(path: Path, content: bytes, *, mode: int = 0o600) -> None:
    """Like write_file, but raises Misuse when `path` is there already."""
    if path.exists():
        raise Misuse("file-exists", f"{path} already exists", hint="name another file: nothing is overwritten")
    write_file(path, content, mode=mode)


@contextlib.contextmanager
def in_use(path: Path, *, alone: bool = False) -> Iterator[None]:
    """The home is in use for the block. Raises Misuse when it should be used `alone` and is not, or is so already.

    By processes of this machine; a killed one lets go. A no-op on Windows.
    """
    if os.name != "posix":
        yield
        return
    import fcntl

    try:
        descriptor = os.open(path / _IN_USE, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        # A home that cannot be written is moved by nobody either.
        yield
        return
    try:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_EX if alone else fcntl.LOCK_SH) | fcntl.LOCK_NB)
        except BlockingIOError:
            what = "a server runs on" if alone else "something that must be alone works on"
            raise Misuse("home-in-use", f"{what} {path}", hint="stop it first" if alone else "wait for it") from None
        yield
    finally:
        os.close(descriptor)


def check_private(path: Path) -> None:
    """Raises Problem when others than the owner may read `path` (POSIX; on Windows the folder's ACL decides)."""
    if os.name != "posix":
        return
    status = path.stat()
    if status.st_mode & 0o077:
        raise Problem("file-too-open", f"{path} can be read by other users", hint=f"chmod 600 {path}")
    if status.st_uid not in (os.geteuid(), 0):
        raise Problem("file-of-another", f"{path} belongs to another user", hint="make it yours, or name another")


def sync_folder(path: Path) -> None:
    """Flush a folder's entries, so that a rename survives a power cut. A no-op where folders cannot be opened."""
    if os.name != "posix":
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
