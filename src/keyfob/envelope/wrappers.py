"""Key-encryption keys that need no service: a local key file, and a passphrase."""

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Generic, TypeVar

from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from keyfob import home
from keyfob.ambient import Entropy
from keyfob.envelope import random_key
from keyfob.envelope.format import Context, EnvelopeError, Wrapper, read_wrapped
from keyfob.envelope.random_key import RandomKey
from keyfob.problem import Misuse, Problem
from keyfob.secret import Secret

__all__ = ["Wrapper", "KeyFileWrapper", "PassphraseWrapper", "Succession"]

W = TypeVar("W", bound=Wrapper)

_R = 8
_P = 1
_LOG2_N_BOUNDS = range(14, 19)  # 16 MiB to 256 MiB
_SALT_BYTES = 16
_PARAMETER_BYTES = 3 + _SALT_BYTES


@dataclass(frozen=True, slots=True)
class KeyFileWrapper:
    """A random key in a local file that nobody but its owner may read."""

    path: Path
    _key: RandomKey = field(repr=False)

    @property
    def kind(self) -> str:
        return "file"

    @classmethod
    def create(cls, path: Path) -> "KeyFileWrapper":
        """A new key in a new file, whole or not at all, mode 0600. Raises Misuse when `path` is there already."""
        made = cls.generate(path)
        draft = path.with_name(f".{path.name}.{os.getpid()}.unfinished")
        try:
            home.write_file(draft, made.content().reveal_bytes())
            # Unlike a rename, a link never overwrites: a key that is gone takes all its envelopes along.
            os.link(draft, path)
        except FileExistsError:
            raise Misuse("file-exists", f"{path} already exists", hint="name another file for the key") from None
        except OSError as failed:
            raise Problem("key-file", f"the key file {path} cannot be made: {failed.strerror}") from failed
        finally:
            draft.unlink(missing_ok=True)
        home.sync_folder(path.parent)
        return made

    @classmethod
    def generate(cls, path: Path) -> "KeyFileWrapper":
        """A new key for `path`, which is not written."""
        return cls(path, RandomKey.generate())

    @classmethod
    def read(cls, content: Secret, path: Path) -> "KeyFileWrapper":
        """The key in what a key file holds, wherever that comes from. Raises Problem naming `path`."""
        try:
            return cls(path, RandomKey.parse(content))
        except ValueError:
            raise Problem(
                "key-file-damaged", f"{path} holds no key of Keyfob", hint="name the right file, or restore it"
            ) from None

    @classmethod
    def load(cls, path: Path) -> "KeyFileWrapper":
        """The key in `path`. Raises Problem when it is missing, damaged, or others than its owner may read it."""
        try:
            home.check_private(path)
            with path.open("rb") as file:
                content = Secret(file.read(random_key.MAX_TEXT_BYTES + 1))
        except FileNotFoundError:
            raise Problem(
                "key-file-missing",
                f"the key file {path} is not there",
                hint="restore it from where you keep it apart from the backups; without it nothing opens",
            ) from None
        except OSError as failed:
            raise Problem("key-file", f"the key file {path} cannot be read: {failed.strerror}") from failed
        return cls.read(content, path)

    def wrap(self, data_key: Secret, context: Context) -> bytes:
        return self._key.wrap(data_key, random_key.associated_data(self.kind, context))

    def unwrap(self, wrapped: bytes, context: Context) -> Secret:
        if not self._key.made(wrapped):
            raise EnvelopeError(
                f"the envelope does not open with the key in {self.path}",
                code="envelope-other-key",
                hint="name the key file that it was made with, or restore the two from the same backup",
            )
        return self._key.unwrap(wrapped, random_key.associated_data(self.kind, context))

    def content(self) -> Secret:
        """What the file holds."""
        return self._key.text()

    def made(self, envelope: bytes) -> bool:
        """Whether an envelope opens with this key and no other; its place is not looked at."""
        kind, wrapped = read_wrapped(envelope)
        return kind == self.kind and self._key.made(wrapped)


@dataclass(frozen=True, slots=True)
class Succession(Generic[W]):
    """Two keys of a kind while one takes the other's place: wraps with the newer, unwraps with that which fits."""

    newer: W
    older: W

    @property
    def kind(self) -> str:
        return self.newer.kind

    def wrap(self, data_key: Secret, context: Context) -> bytes:
        return self.newer.wrap(data_key, context)

    def unwrap(self, wrapped: bytes, context: Context) -> Secret:
        try:
            return self.newer.unwrap(wrapped, context)
        except EnvelopeError as refused:
            if refused.code != "envelope-other-key":
                raise
            return self.older.unwrap(wrapped, context)


@dataclass(frozen=True, slots=True)
class PassphraseWrapper:
    """A key derived from a passphrase by scrypt (RFC 7914), with a salt of its own for each data key.

    Wrapped: log2 N, r and p, one byte each; 16 bytes of salt; the data key under SIV. scrypt takes 128 * N * r bytes of
    memory for whatever an envelope asks for, so parameters outside narrow bounds are refused unused.
    """

    passphrase: Secret = field(repr=False)
    entropy: Entropy = field(repr=False, kw_only=True)
    log2_n: int = field(default=17, kw_only=True)  # 128 MiB, a third of a second

    def __post_init__(self) -> None:
        if not self.passphrase:
            raise Misuse("empty-passphrase", "the passphrase is empty", hint="give one of several random words")
        _check_cost(self.log2_n, _R, _P)

    @property
    def kind(self) -> str:
        return "passphrase"

    def wrap(self, data_key: Secret, context: Context) -> bytes:
        parameters = bytes((self.log2_n, _R, _P)) + self.entropy(_SALT_BYTES)
        return parameters + random_key.wrap(
            self._derive(parameters), data_key, self._associated_data(parameters, context)
        )

    def unwrap(self, wrapped: bytes, context: Context) -> Secret:
        if len(wrapped) != _PARAMETER_BYTES + random_key.WRAPPED_BYTES:
            raise EnvelopeError("the envelope is damaged in its wrapped key")
        parameters = wrapped[:_PARAMETER_BYTES]
        _check_cost(*parameters[:3])
        key = self._derive(parameters)
        try:
            return random_key.unwrap(key, wrapped[_PARAMETER_BYTES:], self._associated_data(parameters, context))
        except EnvelopeError:
            raise EnvelopeError(
                "the passphrase is wrong, or the envelope is damaged",
                code="envelope-other-key",
                hint="try the passphrase again",
            ) from None

    def _associated_data(self, parameters: bytes, context: Context) -> list[bytes]:
        return [self.kind.encode(), parameters, context.associated_data()]

    def _derive(self, parameters: bytes) -> Secret:
        log2_n, r, p = parameters[:3]
        scrypt = Scrypt(salt=parameters[3:], length=random_key.SIV_KEY_BYTES, n=2**log2_n, r=r, p=p)
        return Secret(scrypt.derive(self.passphrase.reveal_bytes()))


def _check_cost(log2_n: int, r: int, p: int) -> None:
    if log2_n not in _LOG2_N_BOUNDS or r != _R or p != _P:
        raise EnvelopeError("the envelope is damaged: it asks for an unreasonable cost of its passphrase")
