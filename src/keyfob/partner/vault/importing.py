"""An exported vault put in its place again, or in another place: as it lies, each credential under its key as before.

Nothing is opened, and nothing that is there is replaced, but for what is damaged: that is set aside. Whom a vault
trusts comes along with it, so the operator's fingerprint is given anew, unless this very vault has it pinned: who can
write a file must not choose an operator.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from keyfob.openpgp.certificate import show_fingerprint
from keyfob.partner.errors import VaultProblem
from keyfob.partner.receive import check_fingerprint
from keyfob.partner.vault import entries, read_only
from keyfob.partner.vault.entries import Entry
from keyfob.partner.vault.stores import Named
from keyfob.partner.vault.vault import Vault
from keyfob.problem import Misuse


@dataclass(frozen=True, slots=True)
class Imported:
    """`added` are there now; `present` were; `other`: of the same ids, and not the same: what was there stays."""

    vault: Vault
    added: tuple[Entry, ...]
    present: tuple[Entry, ...]
    other: tuple[Entry, ...]


def bring_in(file: Path, named: Named, *, fingerprint: str | None, environ: Mapping[str, str]) -> Imported:
    """What `vault export --as-stored` wrote into `file`, in the vault `named`. Raises Problem: then nothing is there
    that was not; a kill leaves some of it there, and the next time the rest comes.
    """
    installation_id, found = _read(file)
    into = Vault.find(named, environ=environ)
    if into is not None and into.installation_id != installation_id:
        raise Misuse(
            "another-vault",
            f"{into.where} is another vault than the exported one, whose credentials open nowhere else",
            hint="name a place where there is no vault yet: --vault",
        )
    _check_operators(found, () if into is None else into.all_entries(), fingerprint)
    into = into or Vault.create(named, new_id=lambda: installation_id, environ=environ)
    with into.locked():
        there: dict[str, Entry] = {}
        for client_id in {entry.client_id for entry in found}:
            into.set_aside_damaged(client_id)
            there |= {entry.record_id: entry for entry in into.entries(client_id)}
        added = tuple(entry for entry in found if entry.record_id not in there)
        for entry in added:
            into.put(entry)
    present = tuple(entry for entry in found if there.get(entry.record_id) == entry)
    return Imported(into, added, present, tuple(one for one in found if one not in added and one not in present))


def _read(file: Path) -> tuple[str, tuple[Entry, ...]]:
    """All of it is read before anything is written."""
    try:
        with file.open("rb") as opened:
            body = opened.read(read_only.MAX_BYTES + 1)
    except OSError as failed:
        raise Misuse("file-unreadable", f"{file} cannot be read: {failed.strerror}", hint="name another") from None
    installation_id, documents = read_only.read(body, str(file))
    found = []
    for client_id, listed in documents.items():
        for credential_id, document in listed.items():
            entry = entries.read(document, where=f"{client_id}/{credential_id} in {file}")
            if (entry.client_id, entry.credential_id) != (client_id, credential_id):
                raise VaultProblem("damaged-vault", f"{file} holds a credential under another's id", hint=_EXPORT)
            found.append(entry)
    if not found:
        raise VaultProblem("damaged-vault", f"{file} holds no credential", hint=_EXPORT)
    return installation_id, tuple(found)


def _check_operators(found: tuple[Entry, ...], known: tuple[Entry, ...], fingerprint: str | None) -> None:
    pinned = {entry.issuer: entry.signer_fingerprint for entry in known}
    given = None if fingerprint is None else check_fingerprint(fingerprint)
    for entry in found:
        wanted = pinned.get(entry.issuer, given)
        if wanted is None:
            raise Misuse(
                "fingerprint-not-confirmed",
                f"the exported vault trusts {entry.issuer} by a fingerprint that nobody has confirmed here",
                hint="give the one that the operator told you: --operator-fingerprint FPR",
            )
        if wanted != entry.signer_fingerprint:
            raise VaultProblem(
                "wrong-operator",
                f"the exported vault trusts {entry.issuer} by {show_fingerprint(entry.signer_fingerprint)}, and not by "
                f"{show_fingerprint(wanted)}",
                hint="ask the operator which one holds; nothing was stored",
            )


_EXPORT = "keyfob vault export --as-stored"
