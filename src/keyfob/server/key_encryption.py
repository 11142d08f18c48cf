"""The key-encryption key of a home: where it is kept, how it is opened, and how another one takes its place.

keys/kek        the key itself (`file`), or an envelope of it that a key in AWS KMS opens (`aws-kms:ARN`)
keys/kek.next   while another one takes its place: all envelopes open with the one or the other
recovery.asc    the key itself, sealed to the recovery certificate; recovery.next.asc: that of keys/kek.next

All other envelopes are under this key, which a process opens once and then holds: KMS is asked when it starts, and no
more. The ARN stands in the file, so that no setting can say another one.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from keyfob import aws_kms, home
from keyfob.ambient import Entropy
from keyfob.aws_kms import KeyArn
from keyfob.envelope import aws_kms as kms_envelopes
from keyfob.envelope import format as envelope
from keyfob.envelope.aws_kms import AwsKmsWrapper
from keyfob.envelope.format import Context, EnvelopeError
from keyfob.envelope.wrappers import KeyFileWrapper, Succession
from keyfob.home import Home
from keyfob.openpgp import seal
from keyfob.openpgp.certificate import Certificate
from keyfob.problem import Misuse, Problem
from keyfob.secret import Secret

FILE = "file"
RECOVERY = Path("recovery.asc")
_KEK = Path("keys", "kek")
_NEXT = Path("keys", "kek.next")
_RECOVERY_NEXT = Path("recovery.next.asc")
_COPIES = {_KEK: RECOVERY, _NEXT: _RECOVERY_NEXT}
_PURPOSE = "key-encryption-key"
_MAX_BYTES = 8192

Place = KeyArn | None
"""Which key in KMS opens the key-encryption key; None: it lies in its file as it is."""


@dataclass(frozen=True, slots=True)
class Kept:
    """The key-encryption key, opened, and where it is kept."""

    wrapper: KeyFileWrapper | Succession[KeyFileWrapper] = field(repr=False)
    place: Place


def parse(name: str) -> Place:
    """`file` or `aws-kms:ARN`. Raises Misuse."""
    return None if name == FILE else aws_kms.parse(name)


def show(place: Place) -> str:
    return FILE if place is None else str(place)


def create(where: Home, place: Place, *, entropy: Entropy) -> KeyFileWrapper:
    """The first one of a new home. Raises Misuse, Problem: KMS does not do it."""
    return _create(where, _KEK, place, entropy=entropy)


def keep_recovery_copy(where: Home, kek: KeyFileWrapper, recovery: Certificate, operator_key: Secret) -> None:
    """The key as a file holds it, sealed: it opens everything also when the key in KMS is gone."""
    home.write_file(where.path / RECOVERY, seal.seal(kek.content(), recipient=recovery, operator_key=operator_key))


def load(where: Home) -> Kept:
    """What opens the envelopes of this home. Raises Problem that says what to do, also when KMS is away."""
    current, place = _load(where, _KEK)
    if not (where.path / _NEXT).exists():
        return Kept(current, place)
    newer, place = _load(where, _NEXT)
    return Kept(Succession(newer, current), place)


def is_changing(where: Home) -> bool:
    """Whether another key-encryption key was begun to be put in its place."""
    return (where.path / _NEXT).exists()


def place_in_force(where: Home) -> Place:
    return _place_of(where, _KEK)


def place_to_come(where: Home) -> Place:
    """Only while it is changing."""
    return _place_of(where, _NEXT)


def begin(
    where: Home, place: Place, recovery: Certificate | None, operator_key: Secret, *, entropy: Entropy
) -> Succession[KeyFileWrapper]:
    """The next one, beside the one in force: a new one, or that of a change that was broken off.

    From here on both must stay until `finish`. Raises Misuse, Problem.
    """
    if is_changing(where):
        found = _place_of(where, _NEXT)
        if place is not None and place.is_alias:
            place = AwsKmsWrapper.choose(str(place)).key
        if found != place:
            raise Misuse("kek-changing", f"a change to {show(found)} was broken off", hint=f"--kek {show(found)}")
        newer, _ = _load(where, _NEXT)
    else:
        for draft in (where.path / "keys").glob(f".{_NEXT.name}.*"):  # of a process that was killed
            draft.unlink()
        newer = _create(where, _NEXT, place, entropy=entropy)
    older, _ = _load(where, _KEK)
    if recovery is not None:
        copy = seal.seal(newer.content(), recipient=recovery, operator_key=operator_key)
        home.write_file(where.path / _RECOVERY_NEXT, copy)
    return Succession(newer, older)


def finish(where: Home) -> None:
    """The next one takes its place: nothing opens with the older one any more."""
    if (where.path / _RECOVERY_NEXT).exists():
        (where.path / _RECOVERY_NEXT).replace(where.path / RECOVERY)
        home.sync_folder(where.path)
    (where.path / _NEXT).replace(where.path / _KEK)
    home.sync_folder((where.path / _KEK).parent)


def files_for_a_backup(where: Home) -> Iterator[Path]:
    """Those of the key's files that are worth nothing to a thief: they open through KMS alone."""
    for path in (_KEK, _NEXT):
        if (where.path / path).exists() and _place_of(where, path) is not None:
            yield path


def _create(where: Home, path: Path, place: Place, *, entropy: Entropy) -> KeyFileWrapper:
    if place is None:
        return KeyFileWrapper.create(where.path / path)
    made = KeyFileWrapper.generate(where.path / path)
    wrapper = AwsKmsWrapper.choose(str(place))
    sealed = envelope.seal(made.content(), wrapper=wrapper, context=_context(where), entropy=entropy)
    # Opened once, before anything depends on it: a key that may encrypt and not decrypt would lose everything.
    envelope.open(sealed, wrapper=wrapper, context=_context(where))
    home.write_new_file(where.path / path, sealed)
    return made


def _load(where: Home, path: Path) -> tuple[KeyFileWrapper, Place]:
    file = where.path / path
    try:
        sealed = _read_sealed(file)
        if sealed is None:
            return KeyFileWrapper.load(file), None
        home.check_private(file)
        wrapper = AwsKmsWrapper.of(_wrapped(sealed))
        content = envelope.open(sealed, wrapper=wrapper, context=_context(where))
        return KeyFileWrapper.read(content, file), wrapper.key
    except Problem as failed:
        copy = where.path / _COPIES[path]
        if not copy.is_file() or isinstance(failed, Misuse):
            raise
        aside = f"move {file} aside, and " if file.exists() else ""
        hint = f"{failed.hint}; or {aside}with the recovery key: gpg --decrypt {copy} > {file}"
        raise Problem(failed.code, failed.message, hint=hint) from failed


def _place_of(where: Home, path: Path) -> Place:
    sealed = _read_sealed(where.path / path)
    return None if sealed is None else AwsKmsWrapper.of(_wrapped(sealed)).key


def _read_sealed(file: Path) -> bytes | None:
    """The envelope in `file`; None when it holds none, or is not there."""
    try:
        with file.open("rb") as opened:
            content = opened.read(_MAX_BYTES)
    except OSError:
        return None  # said by whoever reads it as a key file
    return content if content.startswith(b"KFE") else None


def _wrapped(sealed: bytes) -> bytes:
    kind, wrapped = envelope.read_wrapped(sealed)
    if kind != kms_envelopes.KIND:
        raise EnvelopeError("the key-encryption key is under a kind of key that does not open one")
    return wrapped


def _context(where: Home) -> Context:
    # Not the file's name: the next one becomes the one in force by a rename.
    return Context(where.installation_id, _PURPOSE, "kek", key_version=1)
