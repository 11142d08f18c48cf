"""A vault that is only read: what `keyfob vault export --as-stored` wrote, in a mounted file or in a variable.

For containers, where nothing that is written stays. The document is the vault as it lies: each credential is under its
key as before, so what is deployed opens with that key alone. What is lost is said once, when it is opened.
"""

import base64
import contextlib
import json
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from keyfob.partner.errors import VaultProblem
from keyfob.problem import Misuse

MAX_BYTES = 4 * 1024 * 1024
_KIND = "keyfob-vault"
_VERSION = 1
_log = logging.getLogger("keyfob.partner")

Documents = Mapping[str, Mapping[str, bytes]]
"""By client id, then by credential id."""


@dataclass(frozen=True, slots=True)
class ReadOnlyStore:
    """`Store` over one document, see keyfob.partner.vault.stores. Whatever would change it raises Misuse."""

    where: str
    installation_id: str
    _documents: Documents = field(repr=False)
    usual_key_file: Path | None = None

    @classmethod
    def from_file(cls, path: Path) -> "ReadOnlyStore | None":
        """Raises VaultProblem when everybody may read the file, or others than its owner may write it."""
        where = f"file:{path}"
        try:
            mode = path.stat().st_mode
            with path.open("rb") as file:
                body = file.read(MAX_BYTES + 1)
        except FileNotFoundError:
            return None
        except OSError as failed:
            raise Misuse("vault-unreadable", f"{path} cannot be read: {failed.strerror}", hint="see --vault") from None
        # A group may read it: that is how a container's user, who does not own what is mounted, comes to it.
        if os.name == "posix" and mode & 0o027:
            raise VaultProblem("vault-too-open", f"{path} is open to other users", hint="chmod 440 (defaultMode: 0440)")
        _log.warning("the vault %s is only read: %s", where, _LOST)
        return cls(where, *read(body, where))

    @classmethod
    def from_variable(cls, name: str, environ: Mapping[str, str]) -> "ReadOnlyStore | None":
        where = f"env:{name}"
        if not environ.get(name):
            return None
        _log.warning("the vault %s is only read: %s; %s", where, _LOST, _SEEN)
        return cls(where, *read(environ[name].encode("utf-8", "surrogateescape"), where))

    def clients(self) -> tuple[str, ...]:
        return tuple(sorted(self._documents))

    def read(self, client_id: str) -> Mapping[str, bytes]:
        return self._documents.get(client_id, {})

    def write(self, client_id: str, credential_id: str, document: bytes) -> None:
        raise self._refused()

    def remove(self, client_id: str, credential_id: str) -> None:
        raise self._refused()

    def remove_client(self, client_id: str) -> None:
        raise self._refused()

    def set_aside(self, client_id: str, credential_id: str) -> str:
        raise self._refused()

    def place(self, client_id: str, credential_id: str) -> str:
        return f"{client_id}/{credential_id} in {self.where}"

    @contextlib.contextmanager
    def locked(self) -> Iterator[None]:
        raise self._refused()
        yield

    @contextlib.contextmanager
    def rotating(self) -> Iterator[None]:
        raise self._refused()
        yield

    def _refused(self) -> Misuse:
        hint = "change the vault that it was exported from, export it again, and deploy that"
        return Misuse("read-only", f"the vault {self.where} is only read", hint=hint)


def write(installation_id: str, documents: Documents) -> bytes:
    """A vault as one line of JSON, its documents in base64 as they lie."""
    listed = {
        client: {credential: base64.b64encode(document).decode() for credential, document in found.items()}
        for client, found in documents.items()
    }
    whole = {"kind": _KIND, "version": _VERSION, "installation_id": installation_id, "credentials": listed}
    return json.dumps(whole).encode() + b"\n"


def read(body: bytes, where: str) -> tuple[str, Documents]:
    """The installation id and the documents that `write` wrote. Raises VaultProblem."""
    try:
        if len(body) > MAX_BYTES:
            raise ValueError("too long")
        found = json.loads(body)
        if found["kind"] != _KIND or type(found["version"]) is not int or type(found["installation_id"]) is not str:
            raise ValueError("not an exported vault")
        if found["version"] > _VERSION:
            raise VaultProblem("newer-vault", f"{where} was exported by a newer keyfob", hint="upgrade keyfob")
        documents = {
            str(client): {str(one): base64.b64decode(text, validate=True) for one, text in listed.items()}
            for client, listed in found["credentials"].items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        raise VaultProblem(
            "damaged-vault", f"{where} holds no exported vault", hint="keyfob vault export --as-stored"
        ) from None
    return str(found["installation_id"]), documents


_LOST = "a new secret cannot be stored here (rotate and receive where it was exported from), nor can anything be mended"
_SEEN = "and every process that this one starts, and who may look into this process or its settings, has a copy of it"
