"""A log that shows tampering: salted commitments, chained by a keyed hash. Values in, values out; knows no database.

Each entry commits to its payload under a salt of its own, and each link binds the commitment to everything before it:

    commitment = SHA-256(salt ‖ payload)
    link       = HMAC-SHA-256(key, previous link ‖ sequence ‖ at ‖ commitment)

The link stands on the commitment and not on the payload: an entry whose content was taken away stays in its place,
and is found out, unless a log has a lawful way to do so and a later entry that tells of it. The key lies outside the
log's database: who can write rows cannot chain them anew. What a chain alone cannot show is a cut tail: for that,
`expect` names a head that was written down elsewhere.
"""

import hashlib
import hmac
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from keyfob.problem import Misuse
from keyfob.secret import Secret

GENESIS = bytes(32)
"""What the first link stands on."""

SALT_BYTES = 16
_MAX_FINDINGS = 20


@dataclass(frozen=True, slots=True)
class Entry:
    """One row. `salt` and `payload` are None where somebody took them away."""

    sequence: int
    at: int
    salt: bytes | None
    payload: bytes | None
    commitment: bytes
    link: bytes


@dataclass(frozen=True, slots=True)
class Head:
    """The newest entry, short enough to write down elsewhere: `17:5f0c…` (sequence, link in hex)."""

    sequence: int
    link: bytes

    def __str__(self) -> str:
        return f"{self.sequence}:{self.link.hex()}"

    @classmethod
    def parse(cls, text: str) -> "Head":
        """The head that `str` wrote. Raises Misuse."""
        sequence, separator, link = text.strip().partition(":")
        digits = sequence.isascii() and sequence.isdigit() and len(sequence) <= 18
        hexadecimal = len(link) == 64 and all(character in "0123456789abcdef" for character in link)
        if not (separator and digits and hexadecimal):
            raise Misuse(
                "bad-head", "the expected head is malformed", hint="give it as audit verify printed it: NUMBER:HEX"
            )
        return cls(int(sequence), bytes.fromhex(link))


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whole when there are no findings. Without `expected`, the tail after the head is unproven."""

    count: int
    head: Head
    findings: tuple[str, ...]


def commit(salt: bytes, payload: bytes) -> bytes:
    """The commitment (32 bytes) to one payload; the salt hides payloads that could be guessed."""
    if len(salt) != SALT_BYTES:
        raise ValueError(f"a salt has {SALT_BYTES} bytes")
    return hashlib.sha256(salt + payload).digest()


def link(key: Secret, previous: bytes, *, sequence: int, at: int, commitment: bytes) -> bytes:
    """The link (32 bytes) that binds an entry to all before it."""
    # In decimal: a tampered row may hold any integer, and must end as a finding, not as an overflow.
    message = previous + f"{sequence}:{at}:".encode() + commitment
    return hmac.digest(key.reveal_bytes(), message, "sha256")


def verify(
    entries: Iterable[Entry],
    key: Secret,
    *,
    expect: Head | None = None,
    after: Head | None = None,
    redacted: Collection[int] = (),
) -> Verdict:
    """Walk the log in the order of its sequence and say what does not fit; nothing is raised for a bad row.

    `expect`: a head that was noted earlier must be in the chain; otherwise the tail was cut or rewritten. `after`: the
    entry before the first of `entries`, taken as it is; None: they begin at the beginning. `redacted`: the entries
    whose content was lawfully taken away, salt and all; their places in the chain still have to fit.
    """
    findings: list[str] = []
    last, previous = (0, GENESIS) if after is None else (after.sequence, after.link)
    count, met = 0, expect is None or expect.sequence == 0
    for entry in entries:
        count += 1
        if entry.sequence != last + 1:
            findings.append(f"entry {last + 1} is missing: {entry.sequence} follows {last}")
        is_gone = entry.salt is None and entry.payload is None
        if not (is_gone and entry.sequence in redacted) and not _commits(entry):
            findings.append(f"entry {entry.sequence} was altered: its content is not what was committed to")
        wanted = link(key, previous, sequence=entry.sequence, at=entry.at, commitment=entry.commitment)
        if not hmac.compare_digest(wanted, entry.link):
            findings.append(f"entry {entry.sequence} breaks the chain: it was altered, inserted, moved or chained anew")
        if expect is not None and entry.sequence == expect.sequence:
            met = hmac.compare_digest(entry.link, expect.link)
            if not met:
                findings.append(f"entry {entry.sequence} is not the expected head: the log was rewritten")
        previous, last = entry.link, entry.sequence
    if expect is not None and not met and last < expect.sequence:
        findings.append(f"the tail is cut: the log ends at {last}, but {expect.sequence} was seen before")
    elif expect is not None and not met and not findings:
        findings.append(f"entry {expect.sequence} is missing")
    if len(findings) > _MAX_FINDINGS:
        findings = [*findings[:_MAX_FINDINGS], f"and {len(findings) - _MAX_FINDINGS} more"]
    return Verdict(count, Head(last, previous), tuple(findings))


def _commits(entry: Entry) -> bool:
    if entry.salt is None or entry.payload is None or len(entry.salt) != SALT_BYTES:
        return False
    return hmac.compare_digest(commit(entry.salt, entry.payload), entry.commitment)
