"""Where an event stands in its writer's chain. Pure: the ledger does the arithmetic, the journal the SQL."""

import hmac
from collections.abc import Sequence

from keyfob import ledger
from keyfob.secret import Secret

MAIN = "main"
"""The writer of a database that has one writer at a time (SQLite): one chain."""

SALT_BYTES = 16


def writer_key(chain_key: Secret, writer: str) -> Secret:
    """Each writer's chain under a key of its own, so that no record can be moved from one chain to another."""
    return Secret(hmac.digest(chain_key.reveal_bytes(), b"keyfob audit chain\0" + writer.encode(), "sha256"))


def pseudonym(chain_key: Secret, presented: Secret) -> str:
    """A keyed hash of a presented id that nobody registered: the same id is seen again, the text is not kept."""
    key = hmac.digest(chain_key.reveal_bytes(), b"keyfob unknown client id", "sha256")
    return hmac.digest(key, presented.reveal_bytes(), "sha256").hex()[:32]


def extend(
    head: ledger.Head | None, payloads: Sequence[bytes], *, key: Secret, salts: Sequence[bytes], now: int
) -> list[ledger.Entry]:
    """The entries that follow `head` (None: the chain is empty), one per payload."""
    entries: list[ledger.Entry] = []
    sequence, previous = (head.sequence, head.link) if head else (0, ledger.GENESIS)
    for payload, salt in zip(payloads, salts, strict=True):
        sequence += 1
        commitment = ledger.commit(salt, payload)
        previous = ledger.link(key, previous, sequence=sequence, at=now, commitment=commitment)
        entries.append(ledger.Entry(sequence, now, salt, payload, commitment, previous))
    return entries
