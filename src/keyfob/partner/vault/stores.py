"""Where a vault may lie, and what each place must do: documents under two ids, changed one writer at a time.

    DIR                      a folder of this user (the default)
    sqlite:FILE              a database in one file
    postgresql://USER@HOST/NAME   a database behind TLS that is verified in full, and no other
    aws-secrets:ARN          one secret in AWS Secrets Manager
    file:FILE, env:NAME      a vault that was exported as it lies, to read only

A document is what keyfob.partner.vault.entries writes; a store does not read it. It holds ciphertext wherever a secret
would stand, so a store need not be trusted with it.
"""

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

from keyfob.problem import Misuse

Named = str | os.PathLike[str]
"""A vault as a person names it: a folder, or one of the other forms."""

DAMAGED = ".damaged"
"""The end of an id under which a document that cannot be read was set aside."""


class Store(Protocol):
    """Raises VaultProblem or Misuse that says what and where, never what a document holds."""

    @property
    def where(self) -> str:
        """As it was named, without a password."""
        ...

    @property
    def installation_id(self) -> str:
        """The random id that every envelope here is bound to."""
        ...

    @property
    def usual_key_file(self) -> Path | None:
        """Where the key file lies if nobody says otherwise; None where there is no such place."""
        ...

    def clients(self) -> tuple[str, ...]:
        """The ids of the clients that have a document here, in order."""
        ...

    def read(self, client_id: str) -> Mapping[str, bytes]:
        """The documents of a client by credential id; those set aside are left out."""
        ...

    def write(self, client_id: str, credential_id: str, document: bytes) -> None:
        """Put `document` in the place of the one there, if any: after a crash the old is there or the new."""
        ...

    def remove(self, client_id: str, credential_id: str) -> None:
        """Also what was set aside of it. Nothing where there is none."""
        ...

    def remove_client(self, client_id: str) -> None:
        """All that there is of a client, at once."""
        ...

    def set_aside(self, client_id: str, credential_id: str) -> str:
        """Take a document out of everybody's way, and keep it; its new place."""
        ...

    def place(self, client_id: str, credential_id: str) -> str:
        """Of a document, for a person."""
        ...

    def locked(self) -> AbstractContextManager[None]:
        """One writer at a time, between processes too. What a database changes in the block is changed at its end."""
        ...

    def rotating(self) -> AbstractContextManager[None]:
        """One rotation at a time: who waits for it finds it done. Others may store something meanwhile."""
        ...


def find(named: Named, *, environ: Mapping[str, str]) -> Store | None:
    """The store there; None where none was made yet. Raises Misuse, VaultProblem."""
    kind, rest = _parse(named)
    match kind:
        case "sqlite":
            from keyfob.partner.vault.sqlite import SqliteStore

            return SqliteStore.find(Path(rest))
        case "postgresql" | "postgres":
            from keyfob.partner.vault.postgresql import PostgresqlStore

            return PostgresqlStore.find(str(named), environ=environ)
        case "aws-secrets":
            from keyfob.partner.vault.secrets_manager import SecretsManagerStore

            return SecretsManagerStore.find(str(named))
        case "file" | "env":
            from keyfob.partner.vault.read_only import ReadOnlyStore

            return ReadOnlyStore.from_file(Path(rest)) if kind == "file" else ReadOnlyStore.from_variable(rest, environ)
        case _:
            from keyfob.partner.vault.folder import FolderStore

            return FolderStore.find(Path(named))


def create(named: Named, *, new_id: Callable[[], str], environ: Mapping[str, str]) -> Store:
    """The store there, made if need be; another process may do the same. Raises Misuse, VaultProblem."""
    kind, rest = _parse(named)
    match kind:
        case "sqlite":
            from keyfob.partner.vault.sqlite import SqliteStore

            return SqliteStore.create(Path(rest), new_id=new_id)
        case "postgresql" | "postgres":
            from keyfob.partner.vault.postgresql import PostgresqlStore

            return PostgresqlStore.create(str(named), new_id=new_id, environ=environ)
        case "aws-secrets":
            from keyfob.partner.vault.secrets_manager import SecretsManagerStore

            return SecretsManagerStore.create(str(named), new_id=new_id)
        case "file" | "env":
            raise Misuse("read-only", f"{named} is only read", hint="name a vault that can be written: --vault")
        case _:
            from keyfob.partner.vault.folder import FolderStore

            return FolderStore.create(Path(named), new_id=new_id)


def shown(named: Named) -> str:
    """`named` without a password."""
    kind, _ = _parse(named)
    if kind not in ("postgresql", "postgres"):
        return os.fspath(named)
    from keyfob.partner.vault.postgresql import read_place

    return str(read_place(str(named)))


def usual_key_file(named: Named) -> Path | None:
    """That of a store which may not be there yet."""
    kind, rest = _parse(named)
    if kind is None or kind == "sqlite":
        path = Path(rest)
        return path.with_name(path.name + ".key")
    return None


def local_path(named: Named) -> Path | None:
    """Where on this machine's disks it lies; None where it lies elsewhere, or in a variable."""
    kind, rest = _parse(named)
    return Path(rest) if kind in (None, "sqlite", "file") else None


def _parse(named: Named) -> tuple[str | None, str]:
    """The kind, and the rest; None for a folder."""
    text = os.fspath(named)
    kind, colon, rest = text.partition(":")
    if not colon or kind not in ("sqlite", "postgresql", "postgres", "aws-secrets", "file", "env"):
        return None, text
    if not rest or (kind == "sqlite" and rest.startswith("//")):
        raise Misuse("bad-vault", f"the vault {kind}: is not named as it must be", hint="see keyfob vault --help")
    return kind, rest
