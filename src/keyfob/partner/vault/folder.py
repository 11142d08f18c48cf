"""The vault in a folder: one file for each credential, private, replaced as a whole, one writer at a time.

    VAULT/keyfob-home.json
    VAULT/clients/CLIENT_ID/CREDENTIAL_ID.json

There is no second file that could disagree with these after a crash. One that cannot be read is set aside as
CREDENTIAL_ID.json.damaged.
"""

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from keyfob import home
from keyfob.home import HomeKind
from keyfob.partner.errors import VaultProblem
from keyfob.partner.vault import entries
from keyfob.partner.vault.store import DAMAGED
from keyfob.problem import Misuse
from keyfob.turn import Turn

_SUFFIX = ".json"


@dataclass(frozen=True, slots=True)
class FolderStore:
    """`Vault` over files, see keyfob.partner.vault.stores."""

    path: Path
    installation_id: str

    @property
    def where(self) -> str:
        return str(self.path)

    @property
    def usual_key_file(self) -> Path:
        return self.path.with_name(self.path.name + ".key")

    @classmethod
    def find(cls, path: Path) -> "FolderStore | None":
        """Raises Misuse for another program's folder, VaultProblem when others may enter it."""
        if not (path / home.MARKER).exists() and not _holds_something(path):
            return None
        if os.name == "posix" and path.stat().st_mode & 0o077:
            raise VaultProblem("vault-too-open", f"other users may enter the vault {path}", hint=f"chmod 700 {path}")
        return cls(path, home.check(path, HomeKind.VAULT).installation_id)

    @classmethod
    def create(cls, path: Path, *, new_id: Callable[[], str]) -> "FolderStore":
        if not (path / home.MARKER).exists():
            try:
                with home.building(path, HomeKind.VAULT, installation_id=new_id()) as draft:
                    (draft / "clients").mkdir(mode=0o700)
            except Misuse:
                # Another `receive` may have made it in the same moment; anything else is said by `find`.
                if not (path / home.MARKER).exists():
                    raise
        found = cls.find(path)
        assert found is not None
        return found

    def clients(self) -> tuple[str, ...]:
        folder = self.path / "clients"
        if not folder.is_dir():
            return ()
        found = (child for child in folder.iterdir() if not child.name.startswith("."))
        return tuple(sorted(child.name for child in found if any(child.glob(f"*{_SUFFIX}"))))

    def read(self, client_id: str) -> Mapping[str, bytes]:
        found = {}
        for path in sorted(self._folder(client_id).glob(f"*{_SUFFIX}")):
            # A draft of a process that was killed, or one that another has just removed.
            if path.name.startswith("."):
                continue
            with contextlib.suppress(FileNotFoundError):
                home.check_private(path)
                with path.open("rb") as file:
                    found[path.name.removesuffix(_SUFFIX)] = file.read(entries.MAX_BYTES + 1)
        return found

    def write(self, client_id: str, credential_id: str, document: bytes) -> None:
        path = self._file(client_id, credential_id)
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        home.write_file(path, document)
        home.sync_folder(path.parent.parent)

    def remove(self, client_id: str, credential_id: str) -> None:
        path = self._file(client_id, credential_id)
        if path.parent.is_dir():
            path.unlink(missing_ok=True)
            path.with_name(path.name + DAMAGED).unlink(missing_ok=True)
            home.sync_folder(path.parent)

    def remove_client(self, client_id: str) -> None:
        folder = self._folder(client_id)
        leaving = folder.with_name(f".{client_id}.forgotten")
        shutil.rmtree(leaving, ignore_errors=True)  # of a process that was killed here
        if folder.is_dir():
            folder.replace(leaving)
            home.sync_folder(folder.parent)
            shutil.rmtree(leaving)

    def set_aside(self, client_id: str, credential_id: str) -> str:
        path = self._file(client_id, credential_id)
        return str(path.replace(path.with_name(path.name + DAMAGED)))

    def place(self, client_id: str, credential_id: str) -> str:
        return str(self._file(client_id, credential_id))

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        with Turn(self.path / "vault.lock").taken():
            yield

    @contextlib.contextmanager
    def rotating(self) -> Iterator[None]:
        with Turn(self.path / "rotate.lock").taken():
            yield

    def _folder(self, client_id: str) -> Path:
        return self.path / "clients" / entries.check_file_name(client_id)

    def _file(self, client_id: str, credential_id: str) -> Path:
        return self._folder(client_id) / (entries.check_file_name(credential_id) + _SUFFIX)


def _holds_something(path: Path) -> bool:
    return path.is_dir() and any(path.iterdir())
