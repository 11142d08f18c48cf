"""The vault on disk: one file for each credential, private, replaced as a whole, one writer at a time.

    VAULT/keyfob-home.json
    VAULT/clients/CLIENT_ID/CREDENTIAL_ID.json

The newest message of a client is its current credential. What is pinned (issuer, signer) is read from the entries
themselves, so there is no second file that could disagree with them after a crash. A damaged file is left out where
another can be read; the next receipt sets it aside as CREDENTIAL_ID.json.damaged.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from keyfob import home
from keyfob.home import HomeKind
from keyfob.oauth import resource_indicator
from keyfob.partner.errors import VaultProblem
from keyfob.partner.vault import entries
from keyfob.partner.vault.entries import Entry
from keyfob.problem import Misuse
from keyfob.turn import Turn

_SUFFIX = ".json"
_ASIDE = ".damaged"


@dataclass(frozen=True, slots=True)
class _Found:
    """What lies in a client's folder: what can be read, the newest first, and what is wrong with the rest."""

    entries: tuple[Entry, ...]
    damaged: Mapping[Path, VaultProblem]


class Vault:
    """A partner's stored credentials. `Vault.open(path)` reads one that is there."""

    def __init__(self, path: Path, installation_id: str) -> None:
        self.path = path
        self.installation_id = installation_id

    def __repr__(self) -> str:
        return f"Vault({str(self.path)!r})"

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "Vault":
        """The vault at `path`. Raises Misuse when there is none, VaultProblem when others may read it."""
        path = Path(path)
        if not (path / home.MARKER).exists() and not (path.is_dir() and any(path.iterdir())):
            raise Misuse(
                "no-vault",
                f"there is no vault at {path} yet",
                hint="keyfob receive FILE makes it, or name another: --vault",
            )
        _check_private_folder(path)
        return cls(path, home.check(path, HomeKind.VAULT).installation_id)

    @classmethod
    def open_or_create(cls, path: Path, *, new_id: Callable[[], str]) -> "Vault":
        """The vault at `path`, made if need be. Raises like `open`."""
        if not (path / home.MARKER).exists():
            try:
                with home.building(path, HomeKind.VAULT, installation_id=new_id()) as draft:
                    (draft / "clients").mkdir(mode=0o700)
            except Misuse:
                # Another `receive` may have made it in the same moment; anything else is said by `open`.
                if not (path / home.MARKER).exists():
                    raise
        return cls.open(path)

    def clients(self) -> tuple[str, ...]:
        """The ids of the clients that have a credential here, in order."""
        folder = self.path / "clients"
        if not folder.is_dir():
            return ()
        return tuple(sorted(child.name for child in folder.iterdir() if any(child.glob(f"*{_SUFFIX}"))))

    def entries(self, client_id: str) -> tuple[Entry, ...]:
        """The credentials of a client that can be read, the newest first. Raises Problem when one is too open."""
        return self._look(client_id).entries

    def damaged(self, client_id: str) -> tuple[Path, ...]:
        """The files of a client that are there and cannot be read as a credential of it."""
        return tuple(self._look(client_id).damaged)

    def all_entries(self) -> tuple[Entry, ...]:
        """Every credential of every client that can be read."""
        return tuple(entry for client_id in self.clients() for entry in self.entries(client_id))

    def current(self, client_id: str, *, now: int | None = None) -> Entry:
        """The newest credential of a client; with `now`, the newest one that counts already.

        Raises VaultProblem `unknown-client`, or why none of it can be read.
        """
        found = self._look(client_id)
        if found.entries:
            return next((one for one in found.entries if now is None or one.usable_from <= now), found.entries[0])
        for damage in found.damaged.values():
            raise damage
        raise VaultProblem(
            "unknown-client",
            f"the vault {self.path} holds no credential of {client_id}",
            hint=f"it holds: {', '.join(self.clients()) or 'nothing yet'}",
        )

    def choose(self, *, client: str | None, url: str | None) -> Entry:
        """The current credential of `client`, or of the only client that fits `url`. Raises Misuse, VaultProblem."""
        known = self.clients()
        if client is not None and client not in known:
            hint = f"it holds: {', '.join(known) or 'nothing yet'}"
            raise Misuse("unknown-client", f"the vault {self.path} holds no credential of {client}", hint=hint)
        if client is not None:
            return self.current(client)
        current = [found[0] for client_id in known if (found := self.entries(client_id))]
        if not current:
            for client_id in known:
                self.current(client_id)  # it raises: each of them is damaged
        fitting = [entry for entry in current if url is None or resource_of(entry, url) is not None]
        if len(fitting) == 1:
            return fitting[0]
        where = f" for {url.partition('?')[0]}" if url else ""
        if fitting:
            ids = ", ".join(entry.client_id for entry in fitting)
            raise Misuse("which-client", f"several clients fit{where}", hint=f"name one with --client: {ids}")
        resources = ", ".join(sorted({resource for entry in current for resource in entry.resource}))
        raise Misuse(
            "no-client",
            f"the vault {self.path} holds no credential{where}",
            hint=f"it holds some for: {resources or '-'}",
        )

    def store(self, entry: Entry) -> Path:
        """Write `entry`, replacing one of the same ids: after a crash the old is there or the new."""
        folder = self.path / "clients" / entries.check_file_name(entry.client_id)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / (entries.check_file_name(entry.credential_id) + _SUFFIX)
        home.write_file(path, entries.write(entry))
        home.sync_folder(folder.parent)
        return path

    def set_aside_damaged(self, client_id: str) -> tuple[Path, ...]:
        """Rename what cannot be read, so that it is in nobody's way and still there; the new names."""
        aside = []
        for path in self.damaged(client_id):
            aside.append(path.replace(path.with_name(path.name + _ASIDE)))
        return tuple(aside)

    def forget(self, client_id: str, credential_ids: Iterable[str]) -> None:
        """Remove credentials that have ended. Not the last one: what is pinned is read from it."""
        with self.locked():
            for credential_id in credential_ids:
                if len(self.entries(client_id)) > 1:
                    folder = self.path / "clients" / entries.check_file_name(client_id)
                    (folder / (entries.check_file_name(credential_id) + _SUFFIX)).unlink(missing_ok=True)

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One writer at a time, between processes too."""
        with Turn(self.path / "vault.lock").taken():
            yield

    @contextlib.contextmanager
    def rotating(self) -> Iterator[None]:
        """One rotation at a time: who waits for it finds it done. Others may store something meanwhile."""
        with Turn(self.path / "rotate.lock").taken():
            yield

    def older(self, client_id: str, credential_id: str) -> Entry | None:
        """The credential that was the current one before `credential_id`."""
        found = self.entries(client_id)
        after = [one for index, one in enumerate(found) if any(e.credential_id == credential_id for e in found[:index])]
        return after[0] if after else None

    def _look(self, client_id: str) -> "_Found":
        folder = self.path / "clients" / entries.check_file_name(client_id)
        found: list[Entry] = []
        damaged: dict[Path, VaultProblem] = {}
        for path in sorted(folder.glob(f"*{_SUFFIX}")):
            try:
                found.append(self._read(path, client_id))
            except VaultProblem as damage:
                # One of a newer keyfob is not damaged: it may be the newest, and must not be passed over.
                if damage.code != "damaged-entry":
                    raise
                damaged[path] = damage
        found.sort(key=lambda entry: (entry.issued_at, entry.received), reverse=True)
        return _Found(tuple(found), damaged)

    def _read(self, path: Path, client_id: str) -> Entry:
        home.check_private(path)
        with path.open("rb") as file:
            entry = entries.read(file.read(entries.MAX_BYTES + 1), where=str(path))
        if (entry.client_id, entry.credential_id) != (client_id, path.name.removesuffix(_SUFFIX)):
            raise VaultProblem("damaged-entry", f"{path} holds another credential", hint="put it back in its place")
        return entry


def resource_of(entry: Entry, url: str) -> str | None:
    """The resource of `entry` that `url` belongs to, the narrowest one; None when there is none."""
    fitting = [resource for resource in entry.resource if resource_indicator.covers(resource, url)]
    return max(fitting, key=len, default=None)


def _check_private_folder(path: Path) -> None:
    if os.name == "posix" and path.stat().st_mode & 0o077:
        raise VaultProblem("vault-too-open", f"other users may enter the vault {path}", hint=f"chmod 700 {path}")
