"""The vault in two tables, one statement set for SQLite and PostgreSQL.

    keyfob_vault        one row: the version of this form, and the vault's installation id
    keyfob_credential   one row for each credential: client id, credential id, document

A row that was moved to another place is refused by the document in it, which names its own.
"""

import contextlib
import threading
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar, Protocol

from keyfob.partner.errors import VaultProblem
from keyfob.partner.vault.store import DAMAGED

VERSION = 1
TABLES = (
    "CREATE TABLE IF NOT EXISTS keyfob_vault (version integer NOT NULL, installation_id text NOT NULL)",
    """CREATE TABLE IF NOT EXISTS keyfob_credential (client_id text NOT NULL, credential_id text NOT NULL,
    document {bytes} NOT NULL, PRIMARY KEY (client_id, credential_id))""",
)
MARK = "INSERT INTO keyfob_vault (version, installation_id) VALUES (?, ?)"
MARKED = "SELECT version, installation_id FROM keyfob_vault"
_CLIENTS = "SELECT client_id, credential_id FROM keyfob_credential"
_READ = "SELECT credential_id, document FROM keyfob_credential WHERE client_id = ? ORDER BY credential_id"
_WRITE = (
    "INSERT INTO keyfob_credential (client_id, credential_id, document) VALUES (?, ?, ?) "
    "ON CONFLICT (client_id, credential_id) DO UPDATE SET document = excluded.document"
)
_REMOVE = "DELETE FROM keyfob_credential WHERE client_id = ? AND credential_id = ?"
_REMOVE_CLIENT = "DELETE FROM keyfob_credential WHERE client_id = ?"
_RENAME = "UPDATE keyfob_credential SET credential_id = ? WHERE client_id = ? AND credential_id = ?"


class Connection(Protocol):
    """One transaction, as SqlStore uses it."""

    def execute(self, statement: str, values: Sequence[object] = ()) -> Any:
        """A cursor over its rows. `?` stands for a value."""
        ...


class SqlStore(ABC):
    """`Store` over a database; a subclass opens transactions. See keyfob.partner.vault.stores."""

    _bytes: ClassVar[str]

    def __init__(self, where: str, installation_id: str) -> None:
        self.where = where
        self.installation_id = installation_id
        self._held = threading.local()

    @abstractmethod
    def _reading(self) -> AbstractContextManager[Connection]: ...

    @abstractmethod
    def _writing(self) -> AbstractContextManager[Connection]:
        """Committed at the end of the block, one writer at a time; undone when it raises."""

    def clients(self) -> tuple[str, ...]:
        with self._connected(self._reading) as connection:
            rows = connection.execute(_CLIENTS).fetchall()
        return tuple(sorted({str(client) for client, credential in rows if not credential.endswith(DAMAGED)}))

    def read(self, client_id: str) -> Mapping[str, bytes]:
        with self._connected(self._reading) as connection:
            rows = connection.execute(_READ, (client_id,)).fetchall()
        return {str(one): bytes(document) for one, document in rows if not one.endswith(DAMAGED)}

    def write(self, client_id: str, credential_id: str, document: bytes) -> None:
        with self._connected(self._writing) as connection:
            connection.execute(_WRITE, (client_id, credential_id, document))

    def remove(self, client_id: str, credential_id: str) -> None:
        with self._connected(self._writing) as connection:
            for one in (credential_id, credential_id + DAMAGED):
                connection.execute(_REMOVE, (client_id, one))

    def remove_client(self, client_id: str) -> None:
        with self._connected(self._writing) as connection:
            connection.execute(_REMOVE_CLIENT, (client_id,))

    def set_aside(self, client_id: str, credential_id: str) -> str:
        with self._connected(self._writing) as connection:
            connection.execute(_REMOVE, (client_id, credential_id + DAMAGED))
            connection.execute(_RENAME, (credential_id + DAMAGED, client_id, credential_id))
        return self.place(client_id, credential_id + DAMAGED)

    def place(self, client_id: str, credential_id: str) -> str:
        return f"{client_id}/{credential_id} in {self.where}"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        with self._writing() as connection:
            self._held.connection = connection
            try:
                yield
            finally:
                del self._held.connection

    @contextlib.contextmanager
    def _connected(self, way: Any) -> Iterator[Connection]:
        """Within `locked` the transaction that is open there."""
        held = getattr(self._held, "connection", None)
        if held is not None:
            yield held
            return
        with way() as connection:
            yield connection


def check_mark(rows: Sequence[Any], where: str) -> str:
    """The installation id in the one row of keyfob_vault. Raises VaultProblem."""
    if len(rows) != 1:
        raise VaultProblem("damaged-vault", f"the vault {where} has lost its mark", hint="restore it from a backup")
    version, installation_id = rows[0]
    if version > VERSION:
        raise VaultProblem("newer-vault", f"{where} was made by a newer keyfob", hint="upgrade keyfob")
    return str(installation_id)
