"""Which key-encryption key an entry is under, and how this process comes by it. The back ends are chosen here.

    passphrase   from a terminal, or the file that KEYFOB_PASSPHRASE_FILE names
    file         a key file (0600) that lies outside the vault, so that a copied vault is useless
    keyring      the keyring of the operating system, of this user
    aws-kms      a key in AWS KMS, which is asked at each use
    vault        a key in the transit engine of HashiCorp Vault or OpenBao, which is asked at each use

`opened_with` of an entry names the key file, or the key; it is not secret, and whoever changes it changes no more than
that the entry does not open. What only one kind of key needs is imported for it.
"""

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from keyfob import home
from keyfob.ambient import Entropy
from keyfob.envelope.wrappers import KeyFileWrapper, PassphraseWrapper, Succession, Wrapper
from keyfob.partner.errors import VaultProblem
from keyfob.partner.vault.entries import Entry, Keeping
from keyfob.problem import KeyProblem, Misuse, Problem
from keyfob.secret import Secret

PASSPHRASE_FILE = "KEYFOB_PASSPHRASE_FILE"  # noqa: S105  # the name of a variable
NEW_PASSPHRASE_FILE = "KEYFOB_NEW_PASSPHRASE_FILE"  # noqa: S105
_MAX_PASSPHRASE_BYTES = 4096
_OTHER_KEY_FILE = "name another with --key-file FILE, in a folder that is there"
_RECEIVE_AGAIN = "receive the sealed message again"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The key-encryption keys that this process can reach.

    `ask` asks the person at the terminal, None where nobody could answer. `key_file` was named for this run;
    `usual_key_file` is the one beside the vault, None where there is no such place.
    """

    environ: Mapping[str, str]
    entropy: Entropy
    ask: Callable[[str], Secret] | None
    key_file: Path | None
    usual_key_file: Path | None

    def find(self, entry: Entry) -> Wrapper:
        """What opens the envelope of `entry`. Raises Problem that says what is missing."""
        name = entry.opened_with or ""
        match entry.keeping:
            case Keeping.PASSPHRASE:
                return self._passphrases()
            case Keeping.FILE:
                return self._loaded(self.key_file_of(entry))
            case Keeping.KEYRING:
                from keyfob.envelope.os_keyring import KeyringWrapper

                return KeyringWrapper.load(name)
            case Keeping.AWS_KMS:
                from keyfob import aws_kms
                from keyfob.envelope.aws_kms import AwsKmsWrapper

                return AwsKmsWrapper(aws_kms.Kms(aws_kms.parse(name)))
            case Keeping.VAULT:
                from keyfob.envelope.transit import TransitWrapper

                return TransitWrapper.of(name, self.environ)
            case Keeping.MESSAGE:
                raise AssertionError("a message is under no key of ours")

    def choose(
        self, keeping: Keeping, name: str | None, *, others: Iterable[Entry], stale: bool = False
    ) -> tuple[Wrapper, str | None]:
        """What will seal an entry, and its `opened_with`; made where it is not there yet.

        `name` is the key's where it has one. `others` are the entries that stay: a key of theirs is used again, unless
        it is `stale`, and a key file of theirs that is gone is not replaced.
        """
        match keeping:
            case Keeping.PASSPHRASE:
                return PassphraseWrapper(self._passphrase(new=True, stale=stale), entropy=self.entropy), None
            case Keeping.FILE:
                return self._file(others)
            case Keeping.KEYRING:
                from keyfob.envelope.os_keyring import KeyringWrapper

                usual = None if stale else next((one.opened_with for one in others if one.keeping is keeping), None)
                known = name or usual
                made = KeyringWrapper.load(known) if known else KeyringWrapper.create(entropy=self.entropy)
                return made, made.name
            case Keeping.AWS_KMS:
                from keyfob.envelope.aws_kms import AwsKmsWrapper

                kms = AwsKmsWrapper.choose(name or "")
                return kms, str(kms.key)
            case Keeping.VAULT:
                from keyfob.envelope.transit import TransitWrapper

                transit = TransitWrapper.choose(name or "", self.environ)
                return transit, transit.name
            case Keeping.MESSAGE:
                raise AssertionError("a message is under no key of ours")

    def key_file_of(self, entry: Entry | None) -> Path:
        """The file named now, else the one named at the receipt, else the one beside the vault. Raises Misuse."""
        if self.key_file is not None:
            return self.key_file
        if entry is not None and entry.opened_with:
            return Path(entry.opened_with)
        if self.usual_key_file is None:
            raise Misuse("no-key-file", "there is no folder beside this vault for a key file", hint="--key-file FILE")
        return self.usual_key_file

    def _file(self, others: Iterable[Entry]) -> tuple[Wrapper, str]:
        path = self.key_file_of(None)
        if not path.exists():
            _check_unneeded(path, others)
            if path == self.usual_key_file:
                # A new user has no data folder yet; the vault will lie in the same.
                with contextlib.suppress(OSError):
                    path.parent.mkdir(parents=True, exist_ok=True)
            if not path.parent.is_dir():
                raise Misuse("key-file", f"there is no folder {path.parent} for a key file", hint=_OTHER_KEY_FILE)
            # Another `receive` may make it in the same moment: then that one is taken.
            with contextlib.suppress(Misuse):
                return KeyFileWrapper.create(path), str(path.absolute())
        return self._loaded(path), str(path.absolute())

    def _loaded(self, path: Path) -> Wrapper:
        try:
            found = KeyFileWrapper.load(path)
        except Problem as failed:
            if failed.code != "key-file-missing":
                raise
            raise VaultProblem(failed.code, failed.message, hint=f"{failed.hint}; or {_RECEIVE_AGAIN}") from failed
        following = successor_of(path)
        if following.exists():
            return Succession(newer=KeyFileWrapper.load(following), older=found)
        return found

    def _passphrases(self) -> Wrapper:
        """While one takes another's place, entries are under the one or the other."""
        first = PassphraseWrapper(self._passphrase(new=False, stale=False), entropy=self.entropy)
        named = self.environ.get(NEW_PASSPHRASE_FILE)
        if not named:
            return first
        return Succession(newer=PassphraseWrapper(read_passphrase(Path(named)), entropy=self.entropy), older=first)

    def _passphrase(self, *, new: bool, stale: bool) -> Secret:
        """`new`: it is typed twice; `stale`: the one in use is to be replaced."""
        variable = NEW_PASSPHRASE_FILE if stale else PASSPHRASE_FILE
        if named := self.environ.get(variable):
            return read_passphrase(Path(named))
        if self.ask is None:
            hint = f"set {variable}"
            raise Misuse("no-passphrase", "nobody is there to be asked for the vault's passphrase", hint=hint)
        first = self.ask("New passphrase for the vault: " if stale else "Passphrase for the vault: ")
        if new and first != self.ask("The same once more: "):
            raise Misuse("passphrases-differ", "the two passphrases differ: nothing was stored", hint="try again")
        return first


def successor_of(key_file: Path) -> Path:
    """Where the next key lies until nothing opens with the one in `key_file` any more."""
    return key_file.with_name(f"{key_file.name}.next")


@contextlib.contextmanager
def told_as_the_vaults() -> Iterator[None]:
    """What a service that keeps a key refuses is a problem of this vault."""
    try:
        yield
    except KeyProblem as failed:
        raise VaultProblem(failed.code, failed.message, hint=failed.hint) from failed


def check_unattended(keeping: Keeping | None, environ: Mapping[str, str]) -> Keeping:
    """The way of keeping that nobody has to be asked for later. Raises Misuse when none was named, or it would ask."""
    if keeping is None:
        raise Misuse(
            "no-key-named",
            "there is no terminal: name a way of keeping the credential that works alone",
            hint="--key file, --key aws-kms:ARN, --key vault:KEY, or --key passphrase with KEYFOB_PASSPHRASE_FILE, or "
            "--key message for a key that gpg opens without a passphrase",
        )
    if keeping is Keeping.PASSPHRASE and PASSPHRASE_FILE not in environ:
        raise Misuse(
            "no-passphrase",
            "there is no terminal to ask for a passphrase",
            hint=f"set {PASSPHRASE_FILE}, or --key file",
        )
    return keeping


def read_passphrase(path: Path) -> Secret:
    """Without the end of its line. Raises Misuse, and Problem when others may read it."""
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


def _check_unneeded(missing: Path, others: Iterable[Entry]) -> None:
    """A new key in the place of a lost one would hide that the others' key must be restored."""
    for entry in others:
        if entry.keeping is Keeping.FILE and Path(entry.opened_with or "").resolve() == missing.resolve():
            raise VaultProblem(
                "key-file-missing",
                f"the key file {missing} is not there, and the credential of {entry.client_id} opens with it",
                hint=f"restore it; or {_OTHER_KEY_FILE}",
            )
