"""A partner's stored credentials: which is the current one, which one fits, and what cannot be read.

The newest message of a client is its current credential. What is pinned (issuer, signer) is read from the entries
themselves. One that is damaged is left out where another can be read; the next receipt sets it aside.
"""

import contextlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from keyfob.oauth import resource_indicator
from keyfob.partner.errors import VaultProblem
from keyfob.partner.vault import entries, stores
from keyfob.partner.vault.entries import Entry
from keyfob.partner.vault.store import Store
from keyfob.partner.vault.stores import Named
from keyfob.problem import Misuse


@dataclass(frozen=True, slots=True)
class _Found:
    """What there is of a client: what can be read, the newest first, and what is wrong with the rest, by id."""

    entries: tuple[Entry, ...]
    damaged: Mapping[str, VaultProblem]


class Vault:
    """A partner's stored credentials. `Vault.open(name)` reads one that is there: a folder, or as `--vault` says."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def __repr__(self) -> str:
        return f"Vault({self.where!r})"

    @classmethod
    def open(cls, named: Named, *, environ: Mapping[str, str] = os.environ) -> "Vault":
        """The vault `named`. Raises Misuse when there is none, VaultProblem when others may read it."""
        found = cls.find(named, environ=environ)
        if found is None:
            raise Misuse(
                "no-vault",
                f"there is no vault at {stores.shown(named)} yet",
                hint="keyfob receive FILE makes it, or name another: --vault",
            )
        return found

    @classmethod
    def find(cls, named: Named, *, environ: Mapping[str, str] = os.environ) -> "Vault | None":
        """The vault `named`; None where none was made yet. Raises like `open`."""
        store = stores.find(named, environ=environ)
        return None if store is None else cls(store)

    @classmethod
    def create(cls, named: Named, *, new_id: Callable[[], str], environ: Mapping[str, str] = os.environ) -> "Vault":
        """The vault `named`, made if need be. Raises like `open`."""
        return cls(stores.create(named, new_id=new_id, environ=environ))

    @property
    def where(self) -> str:
        """As it was named."""
        return self.store.where

    @property
    def installation_id(self) -> str:
        return self.store.installation_id

    def clients(self) -> tuple[str, ...]:
        """The ids of the clients that have a credential here, in order."""
        return self.store.clients()

    def entries(self, client_id: str) -> tuple[Entry, ...]:
        """The credentials of a client that can be read, the newest first. Raises Problem when one is too open."""
        return self._look(client_id).entries

    def damaged(self, client_id: str) -> tuple[str, ...]:
        """The places of what is there of a client and cannot be read as a credential of it."""
        return tuple(self.store.place(client_id, one) for one in self._look(client_id).damaged)

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
            f"the vault {self.where} holds no credential of {client_id}",
            hint=f"it holds: {', '.join(self.clients()) or 'nothing yet'}",
        )

    def choose(self, *, client: str | None, url: str | None) -> Entry:
        """The current credential of `client`, or of the only client that fits `url`. Raises Misuse, VaultProblem."""
        known = self.clients()
        if client is not None and client not in known:
            hint = f"it holds: {', '.join(known) or 'nothing yet'}"
            raise Misuse("unknown-client", f"the vault {self.where} holds no credential of {client}", hint=hint)
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
            f"the vault {self.where} holds no credential{where}",
            hint=f"it holds some for: {resources or '-'}",
        )

    def put(self, entry: Entry) -> str:
        """Write `entry`, replacing one of the same ids: after a crash the old is there or the new; its place."""
        client_id, credential_id = (entries.check_file_name(one) for one in (entry.client_id, entry.credential_id))
        self.store.write(client_id, credential_id, entries.write(entry))
        return self.store.place(client_id, credential_id)

    def set_aside_damaged(self, client_id: str) -> tuple[str, ...]:
        """Rename what cannot be read, so that it is in nobody's way and still there; the new places."""
        return tuple(self.store.set_aside(client_id, one) for one in self._look(client_id).damaged)

    def forget(self, client_id: str, credential_ids: Iterable[str]) -> None:
        """Remove credentials that have ended. Not the last one: what is pinned is read from it."""
        with self.locked():
            for credential_id in credential_ids:
                if len(self.entries(client_id)) > 1:
                    self.store.remove(client_id, entries.check_file_name(credential_id))

    def forget_client(self, client_id: str) -> None:
        """Remove all of a client, with what is pinned of its operator. Raises Misuse `unknown-client`."""
        with self.locked():
            if client_id not in self.clients():
                self.choose(client=client_id, url=None)
            self.store.remove_client(entries.check_file_name(client_id))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        """One writer at a time, between processes too."""
        with self.store.locked():
            yield

    @contextlib.contextmanager
    def rotating(self) -> Iterator[None]:
        """One rotation at a time: who waits for it finds it done. Others may store something meanwhile."""
        with self.store.rotating():
            yield

    def older(self, client_id: str, credential_id: str) -> Entry | None:
        """The credential that was the current one before `credential_id`."""
        found = self.entries(client_id)
        after = [one for index, one in enumerate(found) if any(e.credential_id == credential_id for e in found[:index])]
        return after[0] if after else None

    def _look(self, client_id: str) -> "_Found":
        found: list[Entry] = []
        damaged: dict[str, VaultProblem] = {}
        for credential_id, document in self.store.read(entries.check_file_name(client_id)).items():
            try:
                found.append(self._read(document, client_id, credential_id))
            except VaultProblem as damage:
                # One of a newer keyfob is not damaged: it may be the newest, and must not be passed over.
                if damage.code != "damaged-entry":
                    raise
                damaged[credential_id] = damage
        found.sort(key=lambda entry: (entry.issued_at, entry.received), reverse=True)
        return _Found(tuple(found), damaged)

    def _read(self, document: bytes, client_id: str, credential_id: str) -> Entry:
        place = self.store.place(client_id, credential_id)
        entry = entries.read(document, where=place)
        if (entry.client_id, entry.credential_id) != (client_id, credential_id):
            raise VaultProblem("damaged-entry", f"{place} holds another credential", hint="put it back in its place")
        return entry


def resource_of(entry: Entry, url: str) -> str | None:
    """The resource of `entry` that `url` belongs to, the narrowest one; None when there is none."""
    fitting = [resource for resource in entry.resource if resource_indicator.covers(resource, url)]
    return max(fitting, key=len, default=None)
