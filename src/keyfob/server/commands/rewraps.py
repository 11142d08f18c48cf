"""`keyfob-server key rewrap`: another key-encryption key."""

import contextlib
from pathlib import Path

import click

from keyfob import home as homes
from keyfob.command import Result, progress, shows_result
from keyfob.home import HomeKind
from keyfob.openpgp import certificate as certificates
from keyfob.server import installation, key_encryption, rewrapping
from keyfob.server.commands.keys import key
from keyfob.server.commands.place import acting_here, operator_key_option
from keyfob.server.commands.surroundings import Surroundings, home_option, read_file, reason_option


@key.command(short_help="Put every secret under a new key-encryption key.")
@home_option()
@operator_key_option()
@click.option("--kek", required=True, metavar="aws-kms:ARN|file", help="Where the new key-encryption key is kept.")
@click.option(
    "--recovery-cert",
    type=click.Path(path_type=Path),
    metavar="FILE.asc",
    help="OpenPGP certificate that the new recovery copy is sealed to.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be put under the new key.")
@reason_option(dry_run=False)
@click.pass_obj
@shows_result
def rewrap(
    surroundings: Surroundings,
    *,
    home: Path,
    operator_key: Path | None,
    kek: str,
    recovery_cert: Path | None,
    dry_run: bool,
) -> Result:
    """Make a new key-encryption key and put every secret of the home and its database under it, while no server runs.

    `--kek aws-kms:ARN` keeps it under that key in AWS KMS (an alias means the key that it names now), `--kek file` in
    the home as it is. Whatever goes wrong, everything still opens; the same command again goes on where this one ended.
    Backups from before need the old keys/kek.

    \b
    Example:
      keyfob-server key rewrap --home ./operator --kek aws-kms:arn:aws:kms:eu-central-1:111122223333:key/ID
    """
    now, environ, entropy = surroundings.clock(), surroundings.environ, surroundings.entropy
    place = key_encryption.parse(kek)
    recovery = None if recovery_cert is None else certificates.check(read_file(recovery_cert), now=now)
    homes.check(home, HomeKind.SERVER)
    with (
        homes.in_use(home, alone=True),
        contextlib.closing(installation.open(home, environ=environ, entropy=entropy)) as found,
    ):
        mine, by = acting_here(found, operator_key)
        if dry_run:
            rewrapping.check(found, recovery)
            count, old = rewrapping.count(found), key_encryption.show(key_encryption.place_in_force(found.home))
            text = f"would put {count} envelopes under a new key-encryption key (now: {old}); nothing was changed"
            return Result({"dry_run": True, "from": old, "to": key_encryption.show(place), "envelopes": count}, text)
        with progress("putting everything under the new key"):
            done = rewrapping.rewrap(mine, place, recovery, now=now, actor=by, entropy=entropy)
    old, new = key_encryption.show(done.old), key_encryption.show(done.new)
    lines = [f"{done.count} envelopes are under a new key-encryption key, kept in {new} (before: {old})"]
    if done.new is None:
        lines.append(f"keep a copy of {home / 'keys' / 'kek'} elsewhere: without it nothing opens")
    if recovery is not None:
        lines.append(f"recovery copy {home / 'recovery.asc'} (keep one elsewhere)")
    return Result({"from": old, "to": new, "envelopes": done.count}, "\n".join(lines))
