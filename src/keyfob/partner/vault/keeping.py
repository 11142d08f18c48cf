"""How a credential is kept and opened again: as the message itself, or in an envelope under a key-encryption key.

    message      as delivered; unsealed at each use by gpg or a private key file, its signature checked each time
    the others   keyfob.envelope; the key-encryption key is found by keyfob.partner.vault.keys

The plaintext of an envelope is the whole client information, so nothing in it can be exchanged alone.
"""

import base64
import binascii
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from keyfob import home
from keyfob.envelope import format as envelopes
from keyfob.envelope.format import Context, Wrapper
from keyfob.oauth import client_information
from keyfob.oauth.client_information import ClientInformation, MalformedMessage
from keyfob.openpgp.certificate import Certificate, read_signer
from keyfob.openpgp.message import KeyLocked
from keyfob.openpgp.unseal import GpgUnsealer, PrivateKeyUnsealer, Unsealer
from keyfob.partner.errors import VaultProblem
from keyfob.partner.vault.entries import Entry, Keeping
from keyfob.partner.vault.keys import Keys, told_as_the_vaults
from keyfob.problem import Misuse
from keyfob.secret import Secret

_PURPOSE = "partner-credential"
_MAX_PRIVATE_KEY_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Prepared:
    """A way of keeping that is ready: `wrapper` None where the message itself is kept."""

    keeping: Keeping
    wrapper: Wrapper | None
    opened_with: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """Keeps and opens the entries of the vault `installation_id`.

    `key_name` is that of the key-encryption key to use, where it has one; `private_key` opens messages, gpg without it.
    """

    installation_id: str
    keys: Keys
    private_key: Path | None = None
    key_name: str | None = None

    def prepare(self, keeping: Keeping, *, others: Iterable[Entry] = (), stale: bool = False) -> Prepared:
        """What will seal an entry: its passphrase asked for, its key there. Nothing in the vault is touched.

        `others` are the entries that stay. Raises Problem when one of them opens only with the key file that is gone.
        `stale`: the key in use is to be replaced, so it is not taken again.
        """
        if keeping is Keeping.MESSAGE:
            return Prepared(keeping, None, None if self.private_key is None else str(self.private_key.absolute()))
        with told_as_the_vaults():
            wrapper, opened_with = self.keys.choose(keeping, self.key_name, others=others, stale=stale)
        return Prepared(keeping, wrapper, opened_with)

    def keep(self, prepared: Prepared, information: ClientInformation, message: bytes) -> tuple[str, str | None]:
        """The ciphertext for an entry, and the name of what opens it where it has one."""
        if prepared.wrapper is None:
            return message.decode("ascii"), prepared.opened_with
        record_id = f"{information.client_id}/{information.credential_id}"
        return self._seal(prepared.wrapper, information, record_id, key_version=1), prepared.opened_with

    def open(self, entry: Entry, *, wrapper: Wrapper | None = None) -> ClientInformation:
        """What `entry` holds, checked against its clear half. Raises VaultProblem, or why it cannot be opened.

        `wrapper` opens its envelope, and is found where none is given.
        """
        try:
            information = client_information.read(self._plaintext(entry, wrapper))
        except MalformedMessage as broken:
            raise _damaged(entry) from broken
        # Somebody who can write the clear half must not be able to send the secret elsewhere.
        if not entry.describes(information):
            raise _damaged(entry)
        return information

    def check_lasting(self, entry: Entry) -> None:
        """Raises Problem when the key of `entry`, one that is kept on this machine, was replaced since it was prepared.

        To be asked under the vault's lock, where nobody replaces it.
        """
        if entry.keeping in (Keeping.FILE, Keeping.KEYRING):
            self.open(entry)

    def under(self, prepared: Prepared, entry: Entry, information: ClientInformation) -> Entry:
        """`entry` in a new envelope, with a new data key, and of the next key version."""
        assert prepared.wrapper is not None
        version = entry.key_version + 1
        ciphertext = self._seal(prepared.wrapper, information, entry.record_id, key_version=version)
        return replace(
            entry,
            keeping=prepared.keeping,
            opened_with=prepared.opened_with,
            key_version=version,
            ciphertext=ciphertext,
        )

    def opener(self, opened_with: str | None = None) -> Unsealer:
        """What opens messages: the private key named now, else the one named at the receipt, else gpg."""
        path = self.private_key or (Path(opened_with) if opened_with else None)
        if path is None:
            return GpgUnsealer(attended=self.keys.ask is not None)
        private_key = _read_private_key(path)
        unsealer = PrivateKeyUnsealer(private_key)
        return unsealer if self.keys.ask is None else _Asking(unsealer, path, self.keys.ask)

    def _seal(self, wrapper: Wrapper, information: ClientInformation, record_id: str, *, key_version: int) -> str:
        context = self._context(record_id, key_version)
        plaintext = client_information.write(information)
        with told_as_the_vaults():
            sealed = envelopes.seal(plaintext, wrapper=wrapper, context=context, entropy=self.keys.entropy)
        return base64.b64encode(sealed).decode()

    def _plaintext(self, entry: Entry, wrapper: Wrapper | None) -> Secret:
        if entry.keeping is Keeping.MESSAGE:
            signer = read_signer(entry.signer_certificate.encode())
            if signer.fingerprint != entry.signer_fingerprint:
                raise _damaged(entry)
            return self.opener(entry.opened_with).unseal(entry.ciphertext.encode(), signer=signer)
        try:
            sealed = base64.b64decode(entry.ciphertext, validate=True)
        except (ValueError, binascii.Error) as broken:
            raise _damaged(entry) from broken
        context = self._context(entry.record_id, entry.key_version)
        with told_as_the_vaults():
            return envelopes.open(sealed, wrapper=wrapper or self.keys.find(entry), context=context)

    def _context(self, record_id: str, key_version: int) -> Context:
        return Context(self.installation_id, _PURPOSE, record_id, key_version)


@dataclass(frozen=True, slots=True)
class _Asking:
    """A private key whose passphrase is asked for when it turns out to have one."""

    unsealer: PrivateKeyUnsealer
    path: Path
    ask: Callable[[str], Secret]

    def unseal(self, message: bytes, *, signer: Certificate) -> Secret:
        try:
            return self.unsealer.unseal(message, signer=signer)
        except KeyLocked:
            return self._unlocked().unseal(message, signer=signer)

    def unseal_unverified(self, message: bytes) -> Secret:
        try:
            return self.unsealer.unseal_unverified(message)
        except KeyLocked:
            return self._unlocked().unseal_unverified(message)

    def holds(self, fingerprint: str) -> bool:
        return self.unsealer.holds(fingerprint)

    def clearsign(self, text: bytes, *, fingerprint: str) -> bytes:
        """Nobody is asked for a passphrase once more for this."""
        return self.unsealer.clearsign(text, fingerprint=fingerprint)

    def _unlocked(self) -> PrivateKeyUnsealer:
        return PrivateKeyUnsealer(self.unsealer.private_key, self.ask(f"Passphrase of {self.path}: "))


def _read_private_key(path: Path) -> Secret:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_PRIVATE_KEY_BYTES + 1)
    except OSError as failed:
        raise VaultProblem(
            "private-key-missing",
            f"the private key {path} cannot be read: {failed.strerror}",
            hint="--private-key FILE",
        ) from None
    if b"PRIVATE KEY BLOCK" not in content[:4096] or len(content) > _MAX_PRIVATE_KEY_BYTES:
        found = "a certificate, and no private key" if b"PUBLIC KEY BLOCK" in content[:4096] else ""
        raise Misuse(
            "not-a-private-key",
            f"{path} holds {found or 'no armoured OpenPGP private key'}",
            hint="gpg --armor --export-secret-keys FPR > FILE.asc; chmod 600 FILE.asc",
        )
    home.check_private(path)
    return Secret(content)


def _damaged(entry: Entry) -> VaultProblem:
    return VaultProblem(
        "damaged-entry",
        f"the vault's entry for {entry.client_id} does not hold what it says",
        hint="receive the sealed message again; if that does not help, ask the operator for a new one",
    )
