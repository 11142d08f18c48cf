"""`keyfob-server backup`: a copy that is whole, and useless to a thief."""

import os
import shutil
from pathlib import Path

import click

from keyfob import home as homes
from keyfob.command import Result, progress, shows_result
from keyfob.postgresql import Place
from keyfob.problem import Misuse, Problem
from keyfob.server import key_encryption, settings
from keyfob.server.audit.events import Kind
from keyfob.server.commands.place import acting_here, operator_key_option
from keyfob.server.commands.surroundings import Surroundings, home_option, opened, reason_option
from keyfob.server.installation import Installation

_DATABASE = "keyfob.db"
# A list of what is copied, not of what is left out: a file that nobody thought of stays at home. Of the private keys
# there are only envelopes here; keys/kek, where it lies as it is, and the plain TLS keys are never in a backup.
_COPIED = (homes.MARKER, "operator.asc", "recovery.asc", "recovery.next.asc", "keys/*.envelope", "tls/*.pem")


@click.command(short_help="Copy the home, also while the server runs.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@home_option()
@operator_key_option()
@click.option("--dry-run", is_flag=True, help="Only say what would be copied.")
@reason_option(dry_run=False)
@click.pass_obj
@shows_result
def backup(surroundings: Surroundings, *, folder: Path, home: Path, operator_key: Path | None, dry_run: bool) -> Result:
    """Copy the home into the new folder DIR, consistently, while the server runs.

    The key-encryption key is not in it, so that a stolen backup opens nothing; nor are TLS private keys. (One that is
    under a key in AWS KMS is in it: it opens through KMS alone.) Keep
    keys/kek (or its recovery copy's private key) and the TLS private key elsewhere. To restore: copy DIR to where the
    home was, put both back into it, and start the server.
    Note the audit head that is printed: `audit verify --expect` proves later that nothing was cut off.

    A PostgreSQL database is not copied: pg_dump does that, with the command that is printed.

    \b
    Example:
      keyfob-server backup /backups/keyfob-2026-11-24 --home ./operator
    """
    now = surroundings.clock()
    if folder.exists():
        raise Misuse("file-exists", f"{folder} already exists", hint="name a new folder: nothing is overwritten")
    with opened(surroundings, home) as found:
        installation, by = acting_here(found, operator_key)
        if dry_run:
            files = _files(installation)
            text = "\n".join([f"would copy into {folder}; nothing was changed:", *(f"  {one}" for one in files)])
            return Result({"dry_run": True, "backup": str(folder), "files": files}, text)
        with installation.store.change(now=now, actor=by) as change:
            change.record(Kind.BACKUP_STARTED, folder=str(folder.absolute()))
        head = str(installation.store.audit_head())  # before the copy, so that the copy holds it, too
        try:
            with progress("copying"):
                _copy(installation, folder)
        except OSError as failed:
            raise Problem(
                "backup-failed", f"{folder} cannot be written: {failed.strerror}", hint="name another folder"
            ) from failed
    where = installation.settings.database
    dump = (
        f"pg_dump --format=custom --file={folder / 'keyfob.dump'} --dbname='{where}'"
        if isinstance(where, Place)
        else None
    )
    document = {"backup": str(folder), "audit_head": head, "database_command": dump}
    left_out = "TLS keys" if installation.kek.place is not None else "keys/kek and TLS keys"
    lines = [f"made {folder}, without {left_out}", f"audit head {head}"]
    lines += [] if dump is None else ["the database is NOT in it; now run", f"  {dump}"]
    return Result(document, "\n".join(lines))


def _files(installation: Installation) -> list[str]:
    """What a backup holds besides the settings: the database, where it is a file, and files by their place at home."""
    home = installation.home
    patterns = (*_COPIED, *map(str, key_encryption.files_for_a_backup(home)))
    found = [str(one.relative_to(home.path)) for pattern in patterns for one in sorted(home.path.glob(pattern))]
    return found if isinstance(installation.settings.database, Place) else [_DATABASE, *found]


def _copy(installation: Installation, folder: Path) -> None:
    """Whole under its name or not there: a copy that was broken off keeps another name."""
    draft = folder.with_name(f".{folder.name}.{os.getpid()}.unfinished")
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft.mkdir(mode=0o700)
    try:
        is_copied = not isinstance(installation.settings.database, Place)
        if is_copied:
            installation.store.copy_to(draft / _DATABASE)
        for name in _files(installation):
            if name != _DATABASE:
                (draft / name).parent.mkdir(mode=0o700, exist_ok=True)
                homes.write_file(draft / name, (installation.home.path / name).read_bytes())
        content = (installation.home.path / settings.FILE).read_bytes()
        homes.write_file(draft / settings.FILE, _with_its_own_database(content) if is_copied else content)
        draft.replace(folder)
        homes.sync_folder(folder.parent)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _with_its_own_database(content: bytes) -> bytes:
    """The settings of a home whose database lies in it, as that of a backup does, wherever the live one is."""
    values = settings.read(content, where=settings.FILE)
    return content if values.pop("database.url", None) is None else settings.write(values)
