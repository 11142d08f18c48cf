"""How a credential is kept and opened again: as the message itself, or in an envelope under a passphrase or key file.

    message      as delivered; unsealed at each use by gpg or a private key file, its signature checked each time
    passphrase   keyfob.envelope under scrypt; the passphrase from a terminal or KEYFOB_PASSPHRASE_FILE
    file         keyfob.envelope under a key file (0600) that lies outside the vault, so that a copied vault is useless
    aws-kms      keyfob.envelope under a key in AWS KMS, which is asked at each use

The plaintext of an envelope is the whole client information, so nothing in it can be exchanged alone.
"""

import base64
import binascii
import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from keyfob import aws_kms, home
from keyfob.ambient import Entropy
from keyfob.aws_kms import Kms, KmsProblem
from keyfob.envelope import format as envelopes
from keyfob.envelope.aws_kms import AwsKmsWrapper
from keyfob.envelope.format import Context
from keyfob.envelope.wrappers import KeyFileWrapper, PassphraseWrapper, Wrapper
from keyfob.oauth import client_information
from keyfob.oauth.client_information import ClientInformation, MalformedMessage
from keyfob.openpgp.certificate import Certificate, read_signer
from keyfob.openpgp.message import KeyLocked
from keyfob.openpgp.unseal import GpgUnsealer, PrivateKeyUnsealer, Unsealer
from keyfob.partner.errors import VaultProblem
from keyfob.partner.vault.entries import Entry, Keeping
from keyfob.problem import Misuse, Problem
from keyfob.secret import Secret

PASSPHRASE_FILE = "KEYFOB_PASSPHRASE_FILE"  # noqa: S105  # the name of a variable
_PURPOSE = "partner-credential"
_MAX_PASSPHRASE_BYTES = 4096
_MAX_PRIVATE_KEY_BYTES = 1024 * 1024
_OTHER_KEY_FILE = "name another with --key-file FILE, in a folder that is there"
_RECEIVE_AGAIN = "receive the sealed message again"


@dataclass(frozen=True, slots=True)
class Prepared:
    """A way of keeping that is ready: `wrapper` None where the message itself is kept."""

    keeping: Keeping
    wrapper: Wrapper | None
    opened_with: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeper:
    """Keeps and opens the entries of one vault.

    `ask` asks the person at the terminal for a passphrase, and is None where nobody could answer.
    """

    vault: Path
    installation_id: str
    environ: Mapping[str, str]
    entropy: Entropy
    ask: Callable[[str], Secret] | None
    private_key: Path | None = None
    key_file: Path | None = None
    kms_key: str | None = None

    def prepare(self, keeping: Keeping, *, others: Iterable[Entry] = ()) -> Prepared:
        """What will seal an entry: its passphrase asked for, its key file there. Nothing in the vault is touched.

        `others` are the entries that stay. Raises Problem when one of them opens only with the key file that is gone.
        """
        if keeping is Keeping.MESSAGE:
            return Prepared(keeping, None, _absolute(self.private_key))
        if keeping is Keeping.AWS_KMS:
            with _told_as_the_vaults():
                wrapper = AwsKmsWrapper.choose(self.kms_key or "")
            return Prepared(keeping, wrapper, str(wrapper.key))
        key_file = self._key_file(None) if keeping is Keeping.FILE else None
        if key_file is not None and not key_file.exists():
            self._check_unneeded(key_file, others)
        return Prepared(keeping, self._wrapper(key_file, new=True), _absolute(key_file))

    def keep(self, prepared: Prepared, information: ClientInformation, message: bytes) -> tuple[str, str | None]:
        """The ciphertext for an entry, and the path of the file that opens it where there is one."""
        if prepared.wrapper is None:
            return message.decode("ascii"), prepared.opened_with
        context = self._context(f"{information.client_id}/{information.credential_id}")
        plaintext = client_information.write(information)
        with _told_as_the_vaults():
            sealed = envelopes.seal(plaintext, wrapper=prepared.wrapper, context=context, entropy=self.entropy)
        return base64.b64encode(sealed).decode(), prepared.opened_with

    def open(self, entry: Entry) -> ClientInformation:
        """What `entry` holds, checked against its clear half. Raises VaultProblem, or why it cannot be opened."""
        try:
            information = client_information.read(self._plaintext(entry))
        except MalformedMessage as broken:
            raise _damaged(entry) from broken
        # Somebody who can write the clear half must not be able to send the secret elsewhere.
        if not entry.describes(information):
            raise _damaged(entry)
        return information

    def opener(self, opened_with: str | None = None) -> Unsealer:
        """What opens messages: the private key named now, else the one named at the receipt, else gpg."""
        path = self.private_key or (Path(opened_with) if opened_with else None)
        if path is None:
            return GpgUnsealer(attended=self.ask is not None)
        private_key = _read_private_key(path)
        unsealer = PrivateKeyUnsealer(private_key)
        return unsealer if self.ask is None else _Asking(unsealer, path, self.ask)

    def _plaintext(self, entry: Entry) -> Secret:
        if entry.keeping is Keeping.MESSAGE:
            signer = read_signer(entry.signer_certificate.encode())
            if signer.fingerprint != entry.signer_fingerprint:
                raise _damaged(entry)
            return self.opener(entry.opened_with).unseal(entry.ciphertext.encode(), signer=signer)
        try:
            sealed = base64.b64decode(entry.ciphertext, validate=True)
        except (ValueError, binascii.Error) as broken:
            raise _damaged(entry) from broken
        with _told_as_the_vaults():
            return envelopes.open(sealed, wrapper=self._wrapper_of(entry), context=self._context(entry.record_id))

    def _wrapper_of(self, entry: Entry) -> Wrapper:
        if entry.keeping is Keeping.AWS_KMS:
            return AwsKmsWrapper(Kms(aws_kms.parse(entry.opened_with or "")))
        key_file = self._key_file(entry.opened_with) if entry.keeping is Keeping.FILE else None
        return self._wrapper(key_file, new=False)

    def _wrapper(self, key_file: Path | None, *, new: bool) -> Wrapper:
        if key_file is None:
            return PassphraseWrapper(self._passphrase(new=new), entropy=self.entropy)
        if new and not key_file.exists():
            if not key_file.parent.is_dir():
                raise Misuse("key-file", f"there is no folder {key_file.parent} for a key file", hint=_OTHER_KEY_FILE)
            # Another `receive` may make it in the same moment: then that one is taken.
            with contextlib.suppress(Misuse):
                return KeyFileWrapper.create(key_file)
        try:
            return KeyFileWrapper.load(key_file)
        except Problem as failed:
            if failed.code != "key-file-missing":
                raise
            raise VaultProblem(failed.code, failed.message, hint=f"{failed.hint}; or {_RECEIVE_AGAIN}") from failed

    def _check_unneeded(self, missing: Path, others: Iterable[Entry]) -> None:
        """A new key in the place of a lost one would hide that the others' key must be restored."""
        for entry in others:
            if entry.keeping is Keeping.FILE and Path(entry.opened_with or "").resolve() == missing.resolve():
                raise VaultProblem(
                    "key-file-missing",
                    f"the key file {missing} is not there, and the credential of {entry.client_id} opens with it",
                    hint=f"restore it; or {_OTHER_KEY_FILE}",
                )

    def _key_file(self, opened_with: str | None) -> Path:
        """The file named now, else the one named at the receipt, else the one beside the vault."""
        return self.key_file or (Path(opened_with) if opened_with else self.vault.with_name(self.vault.name + ".key"))

    def _passphrase(self, *, new: bool) -> Secret:
        if named := self.environ.get(PASSPHRASE_FILE):
            return _read_passphrase(Path(named))
        if self.ask is None:
            raise Misuse(
                "no-passphrase", "nobody is there to be asked for the vault's passphrase", hint=f"set {PASSPHRASE_FILE}"
            )
        first = self.ask("Passphrase for the vault: ")
        if new and first != self.ask("The same once more: "):
            raise Misuse("passphrases-differ", "the two passphrases differ: nothing was stored", hint="try again")
        return first

    def _context(self, record_id: str) -> Context:
        return Context(installation_id=self.installation_id, purpose=_PURPOSE, record_id=record_id, key_version=1)


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


@contextlib.contextmanager
def _told_as_the_vaults() -> Iterator[None]:
    try:
        yield
    except KmsProblem as failed:
        raise VaultProblem(failed.code, failed.message, hint=failed.hint) from failed


def check_unattended(keeping: Keeping | None, environ: Mapping[str, str]) -> Keeping:
    """The way of keeping that nobody has to be asked for later. Raises Misuse when none was named, or it would ask."""
    if keeping is None:
        raise Misuse(
            "no-key-named",
            "there is no terminal: name a way of keeping the credential that works alone",
            hint="--key file, --key aws-kms:ARN, or --key passphrase with KEYFOB_PASSPHRASE_FILE, or --key message for "
            "a key that gpg opens without a passphrase",
        )
    if keeping is Keeping.PASSPHRASE and PASSPHRASE_FILE not in environ:
        raise Misuse(
            "no-passphrase",
            "there is no terminal to ask for a passphrase",
            hint=f"set {PASSPHRASE_FILE}, or --key file",
        )
    return keeping


def _read_passphrase(path: Path) -> Secret:
    try:
        home.check_private(path)
        with path.open("rb") as file:
            content = file.read(_MAX_PASSPHRASE_BYTES + 1)
    except OSError as failed:
        raise Misuse(
            "passphrase-file", f"{path} cannot be read: {failed.strerror}", hint=f"mend {PASSPHRASE_FILE}"
        ) from None
    if len(content) > _MAX_PASSPHRASE_BYTES:
        raise Misuse("passphrase-file", f"{path} is too long for a passphrase", hint=f"mend {PASSPHRASE_FILE}")
    return Secret(content.rstrip(b"\r\n"))


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


def _absolute(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


def _damaged(entry: Entry) -> VaultProblem:
    return VaultProblem(
        "damaged-entry",
        f"the vault's entry for {entry.client_id} does not hold what it says",
        hint="receive the sealed message again; if that does not help, ask the operator for a new one",
    )
