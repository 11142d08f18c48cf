"""`keyfob status`: what the vault holds, read from its clear halves. Nothing is opened, and nothing is sent."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from keyfob import ambient
from keyfob.command import Result, shows_result
from keyfob.oauth import scope as scopes
from keyfob.partner.options import vault_option

if TYPE_CHECKING:
    from keyfob.partner.vault.entries import Entry

_DAY = 24 * 3600
_SOON = 30 * _DAY


@click.command(short_help="Show what the vault holds, and until when it works.")
@vault_option
@shows_result
def status(*, vault: str | None) -> Result:
    """Show each client of the vault: its credential, what it is for, how it is kept, and when it ends.

    Nothing is decrypted or sent: whether the issuer still accepts it, a call tells.

    \b
    Example:
      keyfob status
      keyfob status --json
    """
    import os

    from keyfob.partner.opening import default_vault
    from keyfob.partner.vault.vault import Vault

    opened = Vault.open(vault or default_vault(os.environ))
    now = ambient.system_clock()
    held = {client_id: opened.entries(client_id) for client_id in opened.clients()}
    damaged = {client_id: list(opened.damaged(client_id)) for client_id in held}
    document = {
        "vault": opened.where,
        "clients": [
            {
                "client_id": client_id,
                "credentials": [_document(entry, now) for entry in found],
                "damaged": damaged[client_id],
            }
            for client_id, found in held.items()
        ],
    }
    lines = [f"vault {opened.where}"]
    for client_id, found in held.items():
        lines += ["", client_id, *(line for entry in found[:1] for line in _lines(entry, now))]
        lines += [f"  before   {entry.credential_id}" for entry in found[1:]]
        lines += [f"  damaged  {path}: receive the newest message again" for path in damaged[client_id]]
    return Result(document, "\n".join(lines if held else [*lines, "it is empty: keyfob receive FILE"]))


def _document(entry: "Entry", now: int) -> dict[str, object]:
    return {
        "credential_id": entry.credential_id,
        "issuer": entry.issuer,
        "resource": list(entry.resource),
        "scope": scopes.write(entry.scope),
        "issued_at": entry.issued_at,
        "expires_at": entry.expires_at or None,
        "expired": _expired(entry, now),
        "key": str(entry.keeping),
        "opened_with": entry.opened_with,
        "recipient_fingerprint": entry.recipient_fingerprint,
        "operator_fingerprint": entry.signer_fingerprint,
    }


def _lines(entry: "Entry", now: int) -> list[str]:
    opened_with = f", with {entry.opened_with}" if entry.opened_with else ""
    return [
        f"  has      {entry.credential_id}, {max(0, now - entry.issued_at) // _DAY} days old, {_end(entry, now)}",
        f"  for      {', '.join(entry.resource)}",
        f"  scope    {scopes.write(entry.scope)}",
        f"  issuer   {entry.issuer}",
        f"  kept     key: {entry.keeping}{opened_with}",
    ]


def _end(entry: "Entry", now: int) -> str:
    if not entry.expires_at:
        return "without an end"
    date = datetime.fromtimestamp(entry.expires_at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")
    if _expired(entry, now):
        return click.style(f"expired {date}", fg="red")
    return click.style(f"ends {date}", fg="yellow" if entry.expires_at - now < _SOON else None)


def _expired(entry: "Entry", now: int) -> bool:
    return bool(entry.expires_at) and entry.expires_at <= now
