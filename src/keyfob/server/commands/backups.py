"""`keyfob-server backup`: a copy that is whole, and useless to a thief."""

from pathlib import Path

import click

from keyfob import backups
from keyfob import home as homes
from keyfob.backups import Source
from keyfob.command import Result, progress, shows_result
from keyfob.server import key_encryption, settings
from keyfob.server.audit.events import Kind
from keyfob.server.commands.place import acting_here, operator_key_option
from keyfob.server.commands.surroundings import Surroundings, home_option, opened, reason_option
from keyfob.server.installation import Installation

# Of the private keys there are only envelopes here; keys/kek, where it lies as it is, and the plain TLS keys are never
# in a backup.
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
    backups.check_new(folder)
    with opened(surroundings, home) as found:
        installation, by = acting_here(found, operator_key)
        source = _source(installation)
        if dry_run:
            files = source.files()
            text = "\n".join([f"would copy into {folder}; nothing was changed:", *(f"  {one}" for one in files)])
            return Result({"dry_run": True, "backup": str(folder), "files": files}, text)
        with installation.store.change(now=now, actor=by) as change:
            change.record(Kind.BACKUP_STARTED, folder=str(folder.absolute()))
        head = str(installation.store.audit_head())  # before the copy, so that the copy holds it, too
        with progress("copying"):
            backups.copy(source, folder, copy_database=installation.store.copy_to)
    dump = source.dump_command(folder)
    document = {"backup": str(folder), "audit_head": head, "database_command": dump}
    left_out = "TLS keys" if installation.kek.place is not None else "keys/kek and TLS keys"
    lines = [f"made {folder}, without {left_out}", f"audit head {head}"]
    lines += [] if dump is None else ["the database is NOT in it; now run", f"  {dump}"]
    return Result(document, "\n".join(lines))


def _source(installation: Installation) -> Source:
    patterns = (*_COPIED, *map(str, key_encryption.files_for_a_backup(installation.home)))
    return Source(installation.home.path, settings.SETTINGS, patterns, "keyfob.db", installation.settings.database)
