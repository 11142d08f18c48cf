"""`keyfob vault ...`: what a vault holds, under which key, and how that changes. No secret is ever shown here."""

import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from keyfob import ambient, command
from keyfob.command import Result, shows_result
from keyfob.partner.options import FILE, KEYS, vault_option
from keyfob.problem import Misuse

if TYPE_CHECKING:
    from keyfob.partner.vault.entries import Entry
    from keyfob.partner.vault.rewrapping import Rewrapped
    from keyfob.partner.vault.vault import Vault

private_key_option = click.option(
    "--private-key", type=FILE, help="Open the message with this OpenPGP key, not with gpg."
)
key_file_option = click.option(
    "--key-file", type=FILE, envvar="KEYFOB_KEY_FILE", help="The key file that opens now, where it is another."
)


@click.group(short_help="See what the vault holds; change the key it is under.", context_settings=command.HELP)
def vault() -> None:
    """See what the vault holds, and under which key; change the key; take out, or away.

    \b
    --vault takes a folder, or:
      sqlite:FILE                     a database in one file
      postgresql://USER@HOST/NAME     a database, by TLS that is verified in full
      aws-secrets:ARN                 a secret in AWS Secrets Manager
      file:FILE, env:VARIABLE         what `vault export --as-stored` wrote: only read
    """


@vault.command("list", short_help="List the credentials in the vault.")
@vault_option
@shows_result
def list_(**options: str | None) -> Result:
    """List the credentials in the vault: whose, under which key, until when. Nothing is opened.

    \b
    Example:
      keyfob vault list
    """
    found = _open(options["vault"])
    rows: list[tuple[str, ...]] = []
    listed: list[dict[str, object]] = []
    damaged: list[str] = []
    now = ambient.system_clock()
    for client in found.clients():
        current = found.current(client, now=now) if found.entries(client) else None
        for entry in found.entries(client):
            state = "current" if entry == current else "coming" if entry.usable_from > now else "older"
            listed.append({"state": state, **_document(entry)})
            for_what = ", ".join(entry.resource)
            rows.append((client, entry.credential_id, state, _key(entry), _date(entry.expires_at), for_what))
        damaged += found.damaged(client)
    lines = [command.table(("CLIENT", "CREDENTIAL", "STATE", "KEY", "EXPIRES", "FOR"), rows)]
    lines += [f"damaged: {place}: receive the newest message again" for place in damaged]
    return Result({"vault": found.where, "credentials": listed, "damaged": damaged}, "\n".join(lines))


@vault.command(short_help="Show what is known of a client's credentials.")
@click.argument("client", required=False)
@vault_option
@shows_result
def show(client: str | None, **options: str | None) -> Result:
    """Show what is known of CLIENT's credentials, the current one first: all but the secret. Nothing is opened.

    \b
    Example:
      keyfob vault show cl_4Kd
    """
    found = _open(options["vault"])
    chosen = found.choose(client=client, url=None)
    every = found.entries(chosen.client_id)
    document = {
        "vault": found.where,
        "credentials": [_document(entry) for entry in every],
        "damaged": list(found.damaged(chosen.client_id)),
    }
    return Result(document, "\n\n".join("\n".join(_lines(found, entry)) for entry in every))


@vault.command(short_help="Put what the vault holds under another key.")
@click.option("--key", "keeping", metavar=KEYS.removeprefix("message|"), required=True, help="The new key.")
@click.option("--client", metavar="ID", help="Only this client's.  [default: everything]")
@click.option(
    "--new-key-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="For --key file.  [default: VAULT.key beside the vault]",
)
@private_key_option
@key_file_option
@vault_option
@shows_result
def rewrap(
    *, keeping: str, client: str | None, new_key_file: Path | None, private_key: Path | None, key_file: Path | None,
    **options: str | None,
) -> Result:  # fmt: skip
    """Put what the vault holds under another key. The secret is in clear in memory alone, and never on a disk.

    A kill at any moment leaves each credential under the old key or the new one: run it again.

    \b
    Example:
      keyfob vault rewrap --key aws-kms:arn:aws:kms:eu-central-1:123456789012:alias/partner
      keyfob vault rewrap --key passphrase
    """
    from keyfob.partner import opening
    from keyfob.partner.vault import rewrapping
    from keyfob.partner.vault.entries import read_keeping

    chosen, name = read_keeping(keeping)
    assert chosen is not None
    found = _open(options["vault"])
    opener = opening.default_keeper(found, private_key=private_key, key_file=key_file)
    sealer = opening.default_keeper(found, key_file=new_key_file, key_name=name)
    with command.progress("putting it under the new key"):
        done = rewrapping.rewrap(found, opener, sealer, chosen, client=client)
    return _rewrapped(found, done)


@vault.command("rotate-key", short_help="Put a new key in the place of the one in use.")
@key_file_option
@vault_option
@shows_result
def rotate_key(*, key_file: Path | None, **options: str | None) -> Result:
    """Put a new key in the place of the one in use, of the same kind, and everything under it.

    A key in AWS KMS or Vault is rotated there: here it is used anew, in its newest version. The new passphrase is asked
    for, or comes from the file that KEYFOB_NEW_PASSPHRASE_FILE names. An old copy of the vault needs its old key.

    \b
    Example:
      keyfob vault rotate-key
    """
    from keyfob.partner import opening
    from keyfob.partner.vault import rewrapping

    found = _open(options["vault"])
    with command.progress("putting it under the new key"):
        done = rewrapping.rotate_key(found, opening.default_keeper(found, key_file=key_file))
    return _rewrapped(found, done)


@vault.command(short_help="Remove a client's credentials.")
@click.argument("client")
@click.option("--credential", metavar="ID", help="Only this one of several.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@vault_option
@shows_result
def forget(*, client: str, credential: str | None, yes: bool, **options: str | None) -> Result:
    """Remove CLIENT's credentials, and what was pinned of its operator. The credential itself goes on working: to end
    it, ask the operator, or `keyfob rotate --finish`.

    \b
    Example:
      keyfob vault forget cl_4Kd
    """
    found = _open(options["vault"])
    known = [entry.credential_id for entry in found.entries(client)]
    if credential is not None and credential not in known:
        raise Misuse("unknown-credential", f"there is no {credential} of {client}", hint="keyfob vault show CLIENT")
    if credential is not None and len(known) == 1:
        credential = None
    what = f"{credential} of {client}" if credential else f"all of {client}"
    if not yes:
        if not command.is_attended():
            raise Misuse("not-confirmed", f"this cannot be taken back: forget {what}?", hint="add --yes")
        click.confirm(f"Forget {what}, in {found.where}?", abort=True, err=True)
    if credential is None:
        found.forget_client(client)
    else:
        found.forget(client, [credential])
    return Result({"forgotten": [credential] if credential else known}, f"forgot {what}")


@vault.command(short_help="Take credentials out, sealed or as they lie.")
@click.option("--sealed-to", type=FILE, metavar="CERT", help="Seal the current credential to this OpenPGP certificate.")
@click.option("--as-stored", is_flag=True, help="The whole vault, each credential under its key as before.")
@click.option("--client", metavar="ID", help="The client, when there are several.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file.  [default: standard output]")
@private_key_option
@key_file_option
@vault_option
@shows_result
def export(
    *, sealed_to: Path | None, as_stored: bool, client: str | None, out: Path | None, private_key: Path | None,
    key_file: Path | None, **options: str | None,
) -> Result:  # fmt: skip
    """Take credentials out of the vault: never in clear.

    --sealed-to gives an OpenPGP message that its key alone opens (`gpg --decrypt`), in the form of the operator's, but
    not signed. --as-stored gives what `--vault file:FILE` and `--vault env:VARIABLE` read, for a container.

    \b
    Example:
      keyfob vault export --sealed-to backup.asc --out cl_4Kd-backup.asc
      keyfob vault export --as-stored --out vault.json
    """
    from keyfob import home
    from keyfob.partner import opening

    if as_stored == (sealed_to is not None):
        raise Misuse("which-form", "an export is --sealed-to CERT or --as-stored", hint="keyfob vault export --help")
    found = _open(options["vault"])
    if sealed_to is not None:
        keeper = opening.default_keeper(found, private_key=private_key, key_file=key_file)
        with command.progress("sealing it"):
            content, told = opening.export_sealed(found, keeper, sealed_to, client=client)
    else:
        content, told = _as_stored(found, client), {"vault": found.where}
    text = content.decode("ascii")
    if out is None:
        return Result({**told, "content": text}, text.rstrip("\n"))
    home.write_new_file(out, content)
    return Result({**told, "out": str(out)}, f"written to {out}" + "".join(f"\n  {k}  {v}" for k, v in told.items()))


@vault.command("import", short_help="Put an exported vault in its place again, or in another place.")
@click.argument("file", type=FILE)
@click.option("--operator-fingerprint", metavar="FPR", help="The operator's, as it told you by another way.")
@vault_option
@shows_result
def import_(*, file: Path, operator_fingerprint: str | None, **options: str | None) -> Result:
    """Put what `vault export --as-stored` wrote into FILE into a vault that is not there yet, or into the one that it
    was taken from. Each credential is under its key as before; nothing is opened, and nothing there is replaced.

    \b
    Example:
      keyfob vault import vault.json --vault postgresql://me@db.example/vaults --operator-fingerprint "7F3A ... 09C1"
    """
    from keyfob.partner.places import default_vault
    from keyfob.partner.vault import importing

    named = options["vault"] or default_vault(os.environ)
    done = importing.bring_in(file, named, fingerprint=operator_fingerprint, environ=os.environ)
    document = {
        "vault": done.vault.where,
        "added": [_document(entry) for entry in done.added],
        "present": [_document(entry) for entry in done.present],
        "other": [_document(entry) for entry in done.other],
    }
    told = [(one, f"is in {done.vault.where}, under {_key(one)}") for one in done.added]
    told += [(one, "was there") for one in done.present]
    told += [(one, "stays as it is there: the exported one is another") for one in done.other]
    return Result(document, "\n".join(f"{one.credential_id} of {one.client_id} {what}" for one, what in told))


def _as_stored(found: "Vault", client: str | None) -> bytes:
    from keyfob.partner.vault import read_only

    clients = found.clients() if client is None else (found.choose(client=client, url=None).client_id,)
    return read_only.write(found.installation_id, {one: found.store.read(one) for one in clients})


def _open(named: str | None) -> "Vault":
    from keyfob.partner.places import default_vault
    from keyfob.partner.vault.vault import Vault

    return Vault.open(named or default_vault(os.environ))


def _rewrapped(found: "Vault", done: "Rewrapped") -> Result:
    document = {
        "vault": found.where,
        "credentials": [_document(entry) for entry in done.entries],
        "left": [_document(entry) for entry in done.left],
        "unused": list(done.unused),
    }
    lines = [f"{entry.credential_id} of {entry.client_id} is under {_key(entry)}" for entry in done.entries]
    lines += [f"{one.credential_id} of {one.client_id} is the message, as it was: no key of yours" for one in done.left]
    lines += [f"nothing here opens with {path} any more: delete it, if no other vault does" for path in done.unused]
    return Result(document, "\n".join(lines))


def _document(entry: "Entry") -> dict[str, object]:
    return {
        "client_id": entry.client_id,
        "credential_id": entry.credential_id,
        "issuer": entry.issuer,
        "token_endpoint": entry.token_endpoint,
        "resource": list(entry.resource),
        "scope": " ".join(sorted(entry.scope)),
        "issued_at": entry.issued_at,
        "expires_at": entry.expires_at,
        "operator_fingerprint": entry.signer_fingerprint,
        "recipient_fingerprint": entry.recipient_fingerprint,
        "key": str(entry.keeping),
        "opened_with": entry.opened_with,
        "key_version": entry.key_version,
        "usable_from": entry.usable_from or None,
    }


def _lines(found: "Vault", entry: "Entry") -> list[str]:
    return [
        f"{entry.credential_id} of {entry.client_id}",
        f"  for       {', '.join(entry.resource)}",
        f"  scope     {' '.join(sorted(entry.scope))}",
        f"  issuer    {entry.issuer}, which signs with {entry.signer_fingerprint}",
        f"  sealed    {_date(entry.issued_at)} to {entry.recipient_fingerprint}",
        f"  expires   {_date(entry.expires_at)}",
        *([f"  counts    from {_date(entry.usable_from)}"] if entry.usable_from else []),
        f"  key       {_key(entry)}, version {entry.key_version}",
        f"  kept      {found.store.place(entry.client_id, entry.credential_id)}",
    ]


def _key(entry: "Entry") -> str:
    """Where the key has a name, that says its kind, too; a file is only named."""
    if entry.opened_with is None:
        return str(entry.keeping)
    is_path = str(entry.keeping) in ("file", "message")
    return f"{entry.keeping} ({entry.opened_with})" if is_path else entry.opened_with


def _date(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%MZ") if at else "-"
