"""Where an event stands in its writer's chain. Pure: the ledger does the arithmetic, the journal the SQL.

A chain has one writer at a time. SQLite has one chain; on PostgreSQL as many writers as come at once have each their
own, and the first record of each names the last of every other that was there: none can be taken away unseen.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from keyfob import ledger
from keyfob.problem import Misuse
from keyfob.secret import Secret

MAIN = "main"
"""The first chain, and on SQLite the only one."""

WRITERS: tuple[str, ...] = (MAIN, *(f"writer-{number}" for number in range(2, 65)))
"""Every chain that there may be, in the order in which they come into use."""

_BETWEEN = "@"

SALT_BYTES = 16


@dataclass(frozen=True, slots=True)
class Heads:
    """The newest record of each chain, short enough to write down elsewhere: `17:5f0c…,writer-2@9:77ab…`."""

    of: Mapping[str, ledger.Head]

    def __str__(self) -> str:
        main = self.of.get(MAIN, ledger.Head(0, ledger.GENESIS))
        others = (show_head(name, head) for name, head in sorted(self.of.items()) if name != MAIN)
        return ",".join((str(main), *others))

    @classmethod
    def parse(cls, text: str) -> "Heads":
        """The heads that `str` wrote. Raises Misuse."""
        found: dict[str, ledger.Head] = {}
        for part in text.strip().split(","):
            writer, separator, head = part.rpartition(_BETWEEN)
            name = writer if separator else MAIN
            if name in found or name not in WRITERS:
                raise Misuse(
                    "bad-head", "the expected head is malformed", hint="give it as audit verify printed it, whole"
                )
            found[name] = ledger.Head.parse(head)
        return cls(found)


@dataclass(frozen=True, slots=True)
class Verdict:
    """Of all chains. Whole when there are no findings."""

    count: int
    heads: Heads
    findings: tuple[str, ...]


def show_head(writer: str, head: ledger.Head) -> str:
    return f"{writer}{_BETWEEN}{head}"


def read_head(text: str) -> tuple[str, ledger.Head]:
    """What `show_head` wrote. Raises Misuse."""
    writer, _, head = text.rpartition(_BETWEEN)
    return writer, ledger.Head.parse(head)


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
