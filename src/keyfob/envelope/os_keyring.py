"""Key-encryption keys in the keyring of the operating system: Secret Service, KWallet, Keychain, Credential Manager.

The only file that knows the package keyring (the extra `keyring`), which is imported when a key is first used. It can
be made to use anything as a keyring, a text file among others: only those of an operating system are taken.

Wrapped as keyfob.envelope.random_key says. The key is one entry of the keyring, of the service "keyfob".
"""

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from keyfob.ambient import Entropy
from keyfob.envelope import random_key
from keyfob.envelope.format import Context, EnvelopeError
from keyfob.envelope.random_key import RandomKey
from keyfob.problem import KeyProblem, Misuse
from keyfob.secret import Secret

KIND = "keyring"
PREFIX = "keyring:"
PATIENCE = 10.0
"""Seconds for a keyring that is locked to be opened by a person; where nobody sits, for it to say that it is locked."""

_SERVICE = "keyfob"
_NAME = re.compile(r"keyring:([0-9a-f]{16})")
_TRUSTED = (
    *("keyring.backends.SecretService", "keyring.backends.libsecret", "keyring.backends.kwallet"),
    *("keyring.backends.macOS", "keyring.backends.Windows"),
)
T = TypeVar("T")


class KeyringProblem(KeyProblem):
    """The keyring, or the key in it, cannot be used as it stands."""


@dataclass(frozen=True, slots=True)
class KeyringWrapper:
    """A random key in this user's keyring. `name`: `keyring:` and 16 hexadecimal digits, which are not secret."""

    name: str
    _key: RandomKey = field(repr=False)

    @property
    def kind(self) -> str:
        return KIND

    @classmethod
    def create(cls, *, entropy: Entropy) -> "KeyringWrapper":
        """A new key, which is in the keyring and was read again. Raises Misuse, KeyringProblem."""
        name = PREFIX + entropy(8).hex()
        key = RandomKey.generate()
        text = key.text().reveal().rstrip()
        _ask(lambda keyring: keyring.set_password(_SERVICE, name, text))
        found = cls.load(name)
        if found._key != key:
            raise KeyringProblem("keyring", "the keyring does not keep what it is given", hint=_OTHER)
        return found

    @classmethod
    def load(cls, name: str) -> "KeyringWrapper":
        """The key `name`. Raises KeyringProblem, and Misuse for what is no such name."""
        if not _NAME.fullmatch(name):
            raise Misuse("bad-keyring-key", "the key in the keyring is not named as it must be", hint="keyring:ID")
        found = _ask(lambda keyring: keyring.get_password(_SERVICE, name))
        if found is None:
            raise KeyringProblem(
                "keyring-key-missing",
                f"the key {name} is not in the keyring of this user",
                hint="restore the keyring, or run this as the user who keeps it; without the key nothing opens",
            )
        try:
            return cls(name, RandomKey.parse(Secret(found)))
        except ValueError:
            raise KeyringProblem("keyring-key-damaged", f"{name} is no key of Keyfob", hint="restore it") from None

    def delete(self) -> None:
        """From the keyring: what is under it opens no more. Raises KeyringProblem."""
        _ask(lambda keyring: keyring.delete_password(_SERVICE, self.name))

    def wrap(self, data_key: Secret, context: Context) -> bytes:
        return self._key.wrap(data_key, random_key.associated_data(self.kind, context))

    def unwrap(self, wrapped: bytes, context: Context) -> Secret:
        if not self._key.made(wrapped):
            raise EnvelopeError(
                f"the envelope does not open with {self.name}",
                code="envelope-other-key",
                hint="restore vault and keyring from the same backup",
            )
        return self._key.unwrap(wrapped, random_key.associated_data(self.kind, context))


def _ask(work: Callable[[Any], T]) -> T:
    """What the keyring answers. It may show a window and wait for a person: that ends after PATIENCE."""
    backend = _backend()
    import keyring.errors

    results: list[T] = []
    failures: list[BaseException] = []

    def ask() -> None:
        try:
            results.append(work(backend))
        except BaseException as failed:
            failures.append(failed)

    asking = threading.Thread(target=ask, daemon=True)
    asking.start()
    asking.join(PATIENCE)
    if results:
        return results[0]
    if not failures:
        raise KeyringProblem("keyring-locked", f"the keyring did not open within {PATIENCE:.0f} s", hint=_UNLOCK)
    if isinstance(failures[0], keyring.errors.KeyringLocked):
        raise KeyringProblem("keyring-locked", "the keyring is locked", hint=_UNLOCK)
    # Not chained and not quoted: a back end may put what it was given into its words.
    raise KeyringProblem("keyring", f"the keyring refuses ({type(failures[0]).__name__})", hint=_OTHER)


def _backend() -> Any:
    """The operating system's keyring. Raises Misuse where there is none, or another is set up in its place."""
    try:
        import keyring
    except ModuleNotFoundError:
        raise Misuse(
            "not-installed",
            "the packages for the keyring are not installed",
            hint='in the checkout: python -m pip install ".[keyring]"',
        ) from None
    chosen = keyring.get_keyring()
    for backend in getattr(chosen, "backends", (chosen,)):  # a chain of several, the best first
        module = type(backend).__module__
        if module in _TRUSTED:
            return backend
        if module not in ("keyring.backends.fail", "keyring.backends.null"):
            break
    name = f"{type(chosen).__module__}.{type(chosen).__qualname__}"
    raise Misuse("no-keyring", f"there is no keyring of the operating system here, only {name}", hint=_OTHER)


_UNLOCK = "unlock it (log in at the desktop), or keep the credential under another --key"
_OTHER = "keep the credential under another --key: file, passphrase, aws-kms:ARN or vault:KEY"
