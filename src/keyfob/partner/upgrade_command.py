"""`keyfob upgrade-to-key`: a key of one's own in the place of the secret."""

from datetime import UTC, datetime
from pathlib import Path

import click

from keyfob.command import Result, progress, shows_result
from keyfob.partner.options import using_options


@click.command("upgrade-to-key", short_help="Prove yourself by a key of your own instead of a secret.")
@click.option(
    "--key",
    "keeping",
    metavar="passphrase|file|keyring|aws-kms:ARN|vault:KEY",
    help="How to keep it.  [default: as the secret is kept, where that is no message]",
)
@using_options
@shows_result
def upgrade_to_key(
    *, keeping: str | None, client: str | None, private_key: Path | None, key_file: Path | None, vault: str | None,
    ca: Path | None,
) -> Result:  # fmt: skip
    """Make a key in the vault, and have the issuer believe it by the signature of your OpenPGP key.

    No secret is sent to anybody any more: each request for a token is signed. You and the operator are told first, and
    the key counts from the date that is printed; the secret goes on working until after the key's first use.

    \b
    Example:
      keyfob upgrade-to-key
      keyfob upgrade-to-key --private-key partner.key.asc --key file
    """
    from keyfob.partner import keyed
    from keyfob.partner.vault.entries import read_keeping

    chosen, key_name = read_keeping(keeping)
    with progress("announcing the key"):
        done = keyed.upgrade_to_key(
            client, vault, private_key=private_key, key_file=key_file, keeping=chosen, key_name=key_name, ca=ca
        )
    document = {
        "client_id": done.client_id,
        "credential_id": done.credential_id,
        "key_id": done.key_id,
        "announcement_id": done.announcement_id,
        "takes_effect_at": done.takes_effect_at,
    }
    at = datetime.fromtimestamp(done.takes_effect_at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    lines = [
        f"the key {done.key_id} of {done.client_id} is in the vault, and counts from {at}",
        "until then, and until after its first use, the secret works as before",
        f"to stop it: keyfob keys --client {done.client_id} --issuer URL --stop {done.announcement_id}",
    ]
    return Result(document, "\n".join(lines))
