"""What a place for a vault must do: documents under two ids, changed one writer at a time.

A document is what keyfob.partner.vault.entries writes; a store does not read it. It holds ciphertext wherever a secret
would stand, so a store need not be trusted with it.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Protocol

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
