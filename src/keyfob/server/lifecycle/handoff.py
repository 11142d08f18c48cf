"""How a new secret leaves: sealed to the partner, written to a file, and only then made to count.

The order is what makes a crash harmless. The file is written first and the database commits last:

    killed before the file      nothing was made
    killed between the two      a file whose secret the server has never heard of: it opens nothing
    killed after the commit     done

In no case is a credential live whose message nobody has. Who asks a server from afar gets the message with the answer,
after the commit; it is given again to the same Idempotency-Key, and a secret that nobody uses expires by itself.
"""

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from keyfob import client_secret, home
from keyfob.ambient import Entropy
from keyfob.oauth import client_information
from keyfob.oauth.client_information import ClientInformation
from keyfob.openpgp import seal
from keyfob.problem import Misuse, Problem
from keyfob.secret import Secret
from keyfob.server.installation import Installation
from keyfob.server.lifecycle import clients, partners
from keyfob.server.secret_hash import hash_secret
from keyfob.server.storage.records import Client, Credential, Partner, SealedMessage, State

SEALED = "sealed"
"""The folder in the home where the messages lie that no command has made."""
_SECRET_BYTES = 32

Outlet = Callable[[str], Path | None]
"""The file for a message, from what it would be called; None: it leaves with the answer to whoever asked."""


@dataclass(frozen=True, slots=True)
class Sealed:
    """A credential that does not count yet, and the message that holds its secret; the secret itself is gone."""

    credential: Credential
    message: SealedMessage
    armored: bytes


def make(
    installation: Installation,
    client: Client,
    partner: Partner,
    *,
    replaces: str | None,
    overlap: int,
    first_use_by: int | None,
    emergency: int | None = None,
    issued_at: int,
    now: int,
    entropy: Entropy,
) -> Sealed:
    """A new secret for `client`, sealed. Raises Problem when the partner's certificate is no longer usable.

    `emergency`: seconds that it is good for; None: as the settings say.
    """
    recipient = partners.usable_certificate(partner, now=now)
    credential_id = client_secret.new_id("", entropy(partners.ID_BYTES))
    secret = client_secret.make(credential_id, entropy(_SECRET_BYTES))
    credential = Credential(
        id=credential_id,
        client_id=client.id,
        state=State.ACTIVE,
        secret_hash=hash_secret(secret, installation.peppers[0]),
        not_before=now,
        expires_at=now + (emergency or installation.settings.credentials.lifetime),
        created_at=now,
        replaces=replaces,
        overlap=overlap,
        first_use_by=first_use_by,
        overlap_ends_at=None,
        sealed_at=issued_at,
        delivered_at=None,
        acknowledged_at=None,
        first_used_at=None,
        first_used_from=None,
        last_used_at=None,
        last_used_from=None,
        emergency=emergency is not None,
    )
    message_id = client_secret.new_id("msg_", entropy(partners.ID_BYTES))
    information = _information(installation, client, credential, secret, message_id, recipient.fingerprint, issued_at)
    plaintext = client_information.write(information)
    armored = seal.seal(plaintext, recipient=recipient, operator_key=installation.operator_key())
    message = SealedMessage(
        id=message_id,
        credential_id=credential_id,
        recipient_fingerprint=recipient.fingerprint,
        signer_fingerprint=installation.operator_certificate.fingerprint,
        issued_at=issued_at,
        digest=hashlib.sha256(armored).hexdigest(),
    )
    return Sealed(credential, message, armored)


def with_answer(_name: str) -> None:
    """The outlet that is no file."""


def written(installation: Installation, sealed: Sealed, path: Path | None) -> contextlib.AbstractContextManager[None]:
    """The message in a new file; taken back when the block did not make its credential count."""
    return in_file(path, sealed.armored, counts=lambda: _counts(installation, sealed.credential))


@contextlib.contextmanager
def in_file(path: Path | None, armored: bytes, *, counts: Callable[[], bool]) -> Iterator[None]:
    """A message in a new file (0600); taken back when the block, which makes what it holds count, did not do so."""
    if path is None:
        yield
        return
    try:
        # O_EXCL: of two programs that choose one name, one is refused, and neither overwrites.
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except FileExistsError:
        raise Misuse("file-exists", f"{path} already exists", hint="name another file with --out") from None
    except OSError as failed:
        raise Misuse(
            "file-place", f"{path} cannot be written: {failed.strerror}", hint="name another place with --out"
        ) from failed
    try:
        try:
            home.write_file(path, armored)
        except OSError as failed:
            raise Problem(
                "file-not-written",
                f"{path} cannot be written: {failed.strerror}: nothing was created",
                hint="free some room, or name another place with --out",
            ) from failed
        yield
    except BaseException:
        # Ctrl-C may break in after the commit: only the database knows.
        if not counts():
            path.unlink(missing_ok=True)
        raise


def sealed_folder(home_path: Path) -> Path:
    """The folder SEALED, which is there. Raises Problem."""
    folder = home_path / SEALED
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
    except OSError as failed:
        raise Problem("file-place", f"{folder} cannot be made: {failed.strerror}", hint="let it be written") from failed
    return folder


def _counts(installation: Installation, credential: Credential) -> bool:
    view = installation.store.find_client(credential.client_id)
    return view is not None and any(found.id == credential.id for found in view.credentials)


def _information(
    installation: Installation,
    client: Client,
    credential: Credential,
    secret: Secret,
    message_id: str,
    recipient: str,
    issued_at: int,
) -> ClientInformation:
    return ClientInformation(
        client_id=client.id,
        client_secret=secret,
        client_id_issued_at=client.created_at,
        client_secret_expires_at=credential.expires_at,
        issuer=installation.settings.issuer,
        token_endpoint=installation.settings.token_endpoint,
        scope=clients.full_scope(client),
        resource=tuple(grant.resource for grant in client.grants),
        credential_id=credential.id,
        message_id=message_id,
        issued_at=issued_at,
        recipient_fingerprint=recipient,
    )
