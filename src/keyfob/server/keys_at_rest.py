"""Each secret of a home in its envelope: which files there are, what a signing key's record holds, and its place.

A record's envelope holds the private key, or the name of the key in KMS that signs: `aws-kms:ARN`. So whoever can write
the database cannot have tokens signed by a key of his own.
"""

import json
import re
from pathlib import Path

from keyfob import aws_kms
from keyfob.ambient import Entropy
from keyfob.aws_kms import KeyArn
from keyfob.envelope import format as envelope
from keyfob.envelope.format import Context
from keyfob.envelope.wrappers import Wrapper
from keyfob.home import Home
from keyfob.jose import keys
from keyfob.jose.keys import SigningKey
from keyfob.jose.remote_keys import RemoteKey
from keyfob.problem import Problem
from keyfob.secret import Secret
from keyfob.server import kms_keys
from keyfob.server.secret_hash import Pepper
from keyfob.server.storage.records import Purpose, SigningKeyRecord, State

WEBHOOK = "alarm-webhook"
_RECORDS = {Purpose.ACCESS_TOKENS: "signing-key", Purpose.REVOCATIONS: "revocation-key"}
"""The purpose that stands in a key's envelope: none can be put in another's place."""
_FILES = {"operator": "operator-key", "audit-chain": "audit-chain-key", "pepper": "pepper", WEBHOOK: WEBHOOK}
"""The same for the files, by their names; a pepper's has a number behind."""


def file_of(home: Home, name: str) -> Path:
    return home.path / "keys" / f"{name}.envelope"


def files(home: Home) -> list[str]:
    """The names of all that are there."""
    return sorted(path.name.removesuffix(".envelope") for path in (home.path / "keys").glob("*.envelope"))


def context_of_file(home: Home, name: str) -> Context:
    """Raises Problem for a file that nobody knows: under another key-encryption key it would be lost."""
    purpose = _FILES.get("pepper" if re.fullmatch(r"pepper-[0-9]+", name) else name)
    if purpose is None:
        hint = "move it elsewhere, or upgrade Keyfob"
        raise Problem("unknown-envelope", f"nobody knows what {file_of(home, name)} is", hint=hint)
    return _context(home, purpose, name)


def context_of_key(home: Home, purpose: Purpose, kid: str) -> Context:
    return _context(home, _RECORDS[purpose], kid)


def context_of_partner_webhook(home: Home, partner_id: str) -> Context:
    return _context(home, "partner-webhook", partner_id)


def open_file(home: Home, name: str, *, wrapper: Wrapper) -> Secret:
    """What is in the file `name`. Raises EnvelopeError, Problem."""
    return envelope.open(read(file_of(home, name)), wrapper=wrapper, context=context_of_file(home, name))


def open_peppers(home: Home, wrapper: Wrapper) -> tuple[Pepper, ...]:
    """The newest first: it hashes new secrets, all verify."""
    names = [name for name in files(home) if name.startswith("pepper-")]
    if not names:
        raise Problem("pepper-missing", f"there is no pepper in {home.path / 'keys'}", hint="restore it from a backup")
    numbers = sorted((int(name.removeprefix("pepper-")) for name in names), reverse=True)
    return tuple(Pepper(str(number), open_file(home, f"pepper-{number}", wrapper=wrapper)) for number in numbers)


def open_key(home: Home, record: SigningKeyRecord, *, wrapper: Wrapper) -> SigningKey | RemoteKey:
    """Out of its envelope, or where that says that it lies: nothing is asked there yet.

    Raises EnvelopeError, Problem.
    """
    content = _content(home, record, wrapper)
    if not _is_elsewhere(content):
        return keys.from_secret(content, record.algorithm)
    found = kms_keys.find(content.reveal(), record.public_jwk, record.algorithm)
    if found.kid != record.kid:  # which the envelope is bound to
        raise Problem("key-damaged", f"the public half of {record.kid} is not its own", hint="restore it from a backup")
    return found


def where_lies(home: Home, record: SigningKeyRecord, *, wrapper: Wrapper) -> KeyArn | None:
    """The key in KMS that signs; None for one that lies in its envelope."""
    content = _content(home, record, wrapper)
    return aws_kms.parse(content.reveal()) if _is_elsewhere(content) else None


def new_record(
    home: Home,
    purpose: Purpose,
    made: SigningKey | RemoteKey,
    content: Secret,
    *,
    wrapper: Wrapper,
    not_before: int,
    now: int,
    entropy: Entropy,
) -> SigningKeyRecord:
    """`content`: the private key, or the name of the one in KMS."""
    context = context_of_key(home, purpose, made.kid)
    return SigningKeyRecord(
        kid=made.kid,
        purpose=purpose,
        algorithm=made.algorithm.name,
        state=State.ACTIVE,
        public_jwk=json.dumps(made.public_jwk()),
        envelope=envelope.seal(content, wrapper=wrapper, context=context, entropy=entropy),
        not_before=not_before,
        created_at=now,
    )


def read(path: Path) -> bytes:
    """Raises Problem."""
    try:
        return path.read_bytes()
    except OSError as failed:
        hint = "restore it from a backup"
        raise Problem("file-missing", f"{path} cannot be read: {failed.strerror}", hint=hint) from failed


def _content(home: Home, record: SigningKeyRecord, wrapper: Wrapper) -> Secret:
    return envelope.open(record.envelope, wrapper=wrapper, context=context_of_key(home, record.purpose, record.kid))


def _is_elsewhere(content: Secret) -> bool:
    return content.reveal_bytes().startswith(aws_kms.PREFIX.encode())


def _context(home: Home, purpose: str, record_id: str) -> Context:
    return Context(installation_id=home.installation_id, purpose=purpose, record_id=record_id, key_version=1)
