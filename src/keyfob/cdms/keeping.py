"""`keyfob-cdms backup` and `restore`: a copy that is whole, and an API that begins again with one."""

import contextlib
from pathlib import Path

import click

from keyfob import backups, database_url
from keyfob import home as homes
from keyfob.backups import Source
from keyfob.cdms import installation, settings
from keyfob.cdms.installation import Installation
from keyfob.cdms.options import PATH, Ground, home_option, open_home
from keyfob.cdms.storage.records import Actor
from keyfob.command import Result, progress, read_file, shows_result, system_user
from keyfob.home import HomeKind
from keyfob.problem import Misuse

# keys/kek and the private key of TLS are never in a backup: of the other private keys there are only envelopes.
_COPIED = (homes.MARKER, "resource.json", "ca.pem", "keys/*.envelope", "tls/*.pem")
_EPOCH_BYTES = 8
_MAX_KEY_BYTES = 64 * 1024


@click.command(short_help="Copy the home, also while the server runs.")
@click.argument("folder", metavar="DIR", type=PATH)
@home_option
@click.pass_obj
@shows_result
def backup(ground: Ground, *, folder: Path, home: Path) -> Result:
    """Copy the home into the new folder DIR, consistently, while the server runs.

    The key-encryption key (keys/kek) is not in it, nor is the private key of TLS: keep them elsewhere, once. Note the
    head of each study's audit trail: `audit verify --expect` proves later that nothing was cut off. A PostgreSQL
    database is not copied: pg_dump does that, with the command that is printed.

    \b
    Example:
      keyfob-cdms backup /backups/cdms-2026-11-24 --home ./cdms
    """
    backups.check_new(folder)
    with contextlib.closing(open_home(home, ground)) as found, progress("copying"):
        heads = found.store.heads()  # before the copy, which then holds what they prove
        source = _source(found)
        epoch = _new_epoch(ground)
        backups.copy(source, folder, copy_database=lambda path: found.store.copy_to(path, epoch=epoch))
    dump = source.dump_command(folder)
    lines = [f"made {folder}, without keys/kek and TLS keys", *(_head(*one) for one in heads.items())]
    lines += [] if dump is None else ["the database is NOT in it; now run", f"  {dump}"]
    return Result({"backup": str(folder), "audit_heads": heads, "database_command": dump}, "\n".join(lines))


@click.command(short_help="Make a home of a backup.")
@click.argument("folder", metavar="DIR", type=PATH)
@home_option
@click.option("--kek", type=PATH, required=True, metavar="FILE", help="The key-encryption key that was kept apart.")
@click.option("--tls-key", type=PATH, metavar="FILE", help="The private key of TLS, where it lay in the home.")
@click.pass_obj
@shows_result
def restore(ground: Ground, *, folder: Path, home: Path, kek: Path, tls_key: Path | None) -> Result:
    """Make a new home of the backup in DIR, whole or not at all.

    Every study's audit trail is verified. Whoever follows the changes is told by another `epoch` that the numbers mean
    something else from now on, and begins again; the audit trails say it, too. A PostgreSQL database is restored first,
    with pg_restore, where keyfob.toml has it.

    \b
    Example:
      keyfob-cdms restore /backups/cdms-2026-11-24 --home ./cdms --kek ./apart/kek --tls-key ./apart/server.key
    """
    checked = homes.check(folder, HomeKind.CDMS)
    place = _place_of_tls_key(folder, given=tls_key is not None)
    environ = dict(ground.environ)
    if (folder / installation.DATABASE).exists():
        environ.pop(database_url.VARIABLE, None)  # it may name the database in force, which is not to be touched
    with homes.building(home, HomeKind.CDMS, installation_id=checked.installation_id) as draft:
        for one in sorted(folder.rglob("*")):
            if one.is_file():
                target = draft / one.relative_to(folder)
                target.parent.mkdir(mode=0o700, exist_ok=True)
                homes.write_file(target, one.read_bytes(), mode=one.stat().st_mode & 0o777)
        homes.write_file(draft / installation.KEK, read_file(kek, max_bytes=_MAX_KEY_BYTES))
        if tls_key is not None:
            homes.write_file(draft / place, read_file(tls_key, max_bytes=_MAX_KEY_BYTES))
        with (
            contextlib.closing(installation.open(draft, environ=environ, entropy=ground.entropy)) as opened,
            progress("verifying"),
        ):
            opened.store.heads()
            epoch = _new_epoch(ground)
            actor = Actor(None, None, system_user())
            with opened.store.writing(actor=actor, now=ground.clock()) as writing:
                writing.begin_epoch(epoch)
            heads = opened.store.heads()
    lines = [f"made {home} of {folder}", f"epoch {epoch}", *(_head(*one) for one in heads.items())]
    return Result({"home": str(home), "epoch": epoch, "audit_heads": heads}, "\n".join(lines))


def _place_of_tls_key(folder: Path, *, given: bool) -> Path:
    """In the home. Raises Misuse when it is `given` and lies elsewhere."""
    place = settings.load(folder, {}).tls_private_key
    if place.is_relative_to(folder):
        return place.relative_to(folder)
    if given:
        raise Misuse("tls-key-elsewhere", f"keyfob.toml has the private key at {place}", hint="leave --tls-key out")
    return place


def _source(found: Installation) -> Source:
    return Source(found.home.path, settings.SETTINGS, _COPIED, installation.DATABASE, found.settings.database)


def _new_epoch(ground: Ground) -> str:
    return ground.entropy(_EPOCH_BYTES).hex()


def _head(study: str, head: str) -> str:
    return f"audit head of {study}: {head}"
