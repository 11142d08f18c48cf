"""`keyfob status`: what the vault holds, read from its clear halves. Nothing is opened or sent but for `--scopes`."""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keyfob import ambient
from keyfob.command import Result, is_attended, progress, shows_result
from keyfob.oauth import scope as scopes
from keyfob.partner.options import ca_option, vault_option
from keyfob.problem import Problem

if TYPE_CHECKING:
    from keyfob.partner.scope_use import GrantedScope
    from keyfob.partner.vault.entries import Entry
    from keyfob.partner.vault.vault import Vault

_DAY = 24 * 3600
_SOON = 30 * _DAY


@click.command(short_help="Show what the vault holds, and until when it works.")
@click.option("--scopes", "with_use", is_flag=True, help="Ask the issuer when each scope was used last.")
@vault_option
@ca_option
@shows_result
def status(*, with_use: bool, vault: str | None, ca: Path | None) -> Result:
    """Show each client of the vault: its credential, what it is for, how it is kept, and when it ends.

    Nothing is decrypted or sent: whether the issuer still accepts it, a call tells. With --scopes the credential is
    opened and presented to its issuer, who knows what was used; it is no use of the secret.

    \b
    Example:
      keyfob status
      keyfob status --scopes --json
    """
    import os

    from keyfob.partner.places import default_vault
    from keyfob.partner.vault.vault import Vault

    opened = Vault.open(vault or default_vault(os.environ))
    now = ambient.system_clock()
    held = {client_id: opened.entries(client_id) for client_id in opened.clients()}
    damaged = {client_id: list(opened.damaged(client_id)) for client_id in held}
    with progress("asking the issuer"):
        used = {client_id: _ask(opened, client_id, ca) for client_id in held if with_use}
    document = {
        "vault": opened.where,
        "clients": [
            {
                "client_id": client_id,
                "credentials": [_document(entry, now) for entry in found],
                "damaged": damaged[client_id],
                **(used[client_id].document() if with_use else {}),
            }
            for client_id, found in held.items()
        ],
    }
    lines = [f"vault {opened.where}"]
    for client_id, found in held.items():
        lines += ["", client_id, *(line for entry in found[:1] for line in _lines(entry, now))]
        lines += used[client_id].lines() if with_use else []
        lines += [f"  before   {entry.credential_id}" for entry in found[1:]]
        lines += [f"  damaged  {path}: receive the newest message again" for path in damaged[client_id]]
    return Result(document, "\n".join(lines if held else [*lines, "it is empty: keyfob receive FILE"]))


@dataclass(frozen=True, slots=True)
class _Use:
    """What the issuer says of a client's scopes, or why it is not known."""

    scopes: "tuple[GrantedScope, ...]" = ()
    unknown: str | None = None

    def document(self) -> dict[str, object]:
        return {"scopes": [one.document() for one in self.scopes], "scopes_unknown": self.unknown}

    def lines(self) -> list[str]:
        told = [f"  {one.verdict:8} {_use(one)}" for one in self.scopes]
        return told if self.unknown is None else [f"  unknown  what was used: {self.unknown}"]


def _ask(opened: "Vault", client_id: str, ca: Path | None) -> _Use:
    """What cannot be known of one client keeps none of the others from being told."""
    from keyfob.partner.opening import granted_scopes

    try:
        return _Use(granted_scopes(opened, client_id, ask=is_attended(), ca=ca))
    except Problem as why:
        return _Use(unknown=why.message)


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


def _use(one: "GrantedScope") -> str:
    last = f", last {_date(one.last_used_at)}" if one.last_used_at is not None else ""
    return f"{one.scope} at {one.resource}{last}" + (f": {one.why}" if one.why else "")


def _end(entry: "Entry", now: int) -> str:
    if not entry.expires_at:
        return "without an end"
    date = _date(entry.expires_at)
    if _expired(entry, now):
        return click.style(f"expired {date}", fg="red")
    return click.style(f"ends {date}", fg="yellow" if entry.expires_at - now < _SOON else None)


def _date(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _expired(entry: "Entry", now: int) -> bool:
    return bool(entry.expires_at) and entry.expires_at <= now
