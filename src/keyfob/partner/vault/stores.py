"""Where a vault may lie, and how a person names the place. What each must do: keyfob.partner.vault.store.

DIR                      a folder of this user (the default)
sqlite:FILE              a database in one file
postgresql://USER@HOST/NAME   a database behind TLS that is verified in full, and no other
aws-secrets:ARN          one secret in AWS Secrets Manager
file:FILE, env:NAME      a vault that was exported as it lies, to read only
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path

from keyfob.partner.vault.store import Store
from keyfob.problem import Misuse

Named = str | os.PathLike[str]
"""A vault as a person names it: a folder, or one of the other forms."""


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
