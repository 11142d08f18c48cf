"""The audit trail in the database: appended inside the transaction of what it tells about, read in order."""

import heapq
import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from keyfob import ledger
from keyfob.ambient import Entropy
from keyfob.prepared import Prepared
from keyfob.problem import Misuse
from keyfob.secret import Secret
from keyfob.server.audit import chain, events
from keyfob.server.audit.events import AuditEvent, Kind
from keyfob.server.storage import locks
from keyfob.server.storage.schema import audit_record

_BATCH = 500

# Read through casts: SQLite lets a forger put any type into any column, and that must end as a finding of `verify`,
# not as an error in the middle of it.
_columns = audit_record.c
_APPEND = Prepared(sa.insert(audit_record).values({column.name: sa.bindparam(column.name) for column in _columns}))
_LAST = sa.select(sa.func.max(_columns.sequence)).where(_columns.writer == sa.bindparam("writer")).scalar_subquery()
_HEAD = Prepared(
    sa.select(_columns.sequence, _columns.link).where(
        _columns.writer == sa.bindparam("writer"), _columns.sequence == _LAST
    )
)
_COLUMNS = tuple(
    sa.cast(audit_record.c[name], audit_record.c[name].type).label(name)
    for name in ("sequence", "at", "salt", "payload", "commitment", "link")
)


@dataclass(frozen=True, slots=True)
class Record(ledger.Entry):
    """An entry, and whose chain it is in."""

    writer: str


@dataclass(frozen=True, slots=True)
class Journal:
    """Writes the chains. `chain_key` lies outside the database: who can write that alone cannot re-chain."""

    chain_key: Secret
    entropy: Entropy = field(repr=False)
    seat: locks.Seat = field(default_factory=locks.Seat)

    def append(self, connection: sa.Connection, recorded: Sequence[AuditEvent], now: int) -> None:
        """Add to a chain. The head is read here, inside the write transaction, so that two never follow one."""
        if not recorded:
            return
        writer = self.seat.take(connection)
        last = head(connection, writer)
        others = {} if last is not None else heads(connection)
        if others:
            named = [chain.show_head(name, other) for name, other in others.items()]
            recorded = [AuditEvent(Kind.CHAIN_STARTED, "server", {"heads": named}), *recorded]
        random = self.entropy(chain.SALT_BYTES * len(recorded))
        entries = chain.extend(
            last,
            [events.write(event) for event in recorded],
            key=chain.writer_key(self.chain_key, writer),
            salts=[random[at : at + chain.SALT_BYTES] for at in range(0, len(random), chain.SALT_BYTES)],
            now=now,
        )
        _APPEND.execute(
            connection,
            [
                {
                    "writer": writer,
                    "sequence": entry.sequence,
                    "at": entry.at,
                    "salt": entry.salt,
                    "payload": entry.payload,
                    "commitment": entry.commitment,
                    "link": entry.link,
                }
                for entry in entries
            ],
        )


def head(connection: sa.Connection, writer: str) -> ledger.Head | None:
    """The last record of a chain; None when it is empty."""
    row = _HEAD.execute(connection, {"writer": writer}).one_or_none()
    return None if row is None else ledger.Head(row.sequence, bytes(row.link))


def writers(connection: sa.Connection) -> list[str]:
    """Every name under which there are records. One look into the index for each, however many records there are."""
    column = audit_record.c.writer
    found: list[str] = []
    while True:
        after = sa.select(sa.func.min(column))
        name = connection.execute(after.where(column > found[-1]) if found else after).scalar_one()
        if name is None:
            return found
        found.append(str(name))


def heads(connection: sa.Connection) -> dict[str, ledger.Head]:
    """The last record of each chain."""
    found = ((name, head(connection, name)) for name in writers(connection))
    return {name: last for name, last in found if last is not None}


def verify(
    connection: sa.Connection, chain_key: Secret, expect: chain.Heads | None, since: chain.Heads | None = None
) -> chain.Verdict:
    """Walk every chain, and look for each record that another chain's first one names.

    `since`: heads up to which the chains were found whole before. Each must be in its chain as it was, and what came
    after it is walked.
    """
    expected = {} if expect is None else expect.of
    begin = {} if since is None else since.of
    count, last, findings = 0, dict[str, ledger.Head](), list[str]()
    found = writers(connection)
    for name in sorted({*found, *expected, *begin}):
        if name not in chain.WRITERS:
            findings.append(f"there is a chain of an unknown writer: {name!r}")
            continue
        after = begin.get(name)
        entries = _entries(connection, name, after=0 if after is None else after.sequence)
        first = next(entries, None)
        walked = itertools.chain([] if first is None else [first], entries)
        verdict = ledger.verify(walked, chain.writer_key(chain_key, name), expect=expected.get(name), after=after)
        said = list(verdict.findings)
        if after is not None:
            said += _gone(connection, name, after)
        elif first is not None:
            said += _missing(connection, first)
        findings += said if name == chain.MAIN else [f"{name}: {finding}" for finding in said]
        count += verdict.count
        if first is not None or after is not None:
            last[name] = verdict.head
    return chain.Verdict(count, chain.Heads(last), tuple(findings))


def _gone(connection: sa.Connection, writer: str, seen: ledger.Head) -> list[str]:
    """That a record which was seen is not there as it was."""
    columns = audit_record.c
    there = sa.select(columns.link).where(columns.writer == writer, columns.sequence == seen.sequence)
    found = connection.execute(there).scalar_one_or_none()
    if seen.sequence == 0 or (found is not None and bytes(found) == seen.link):
        return []
    return [f"entry {seen.sequence} is not there as it was seen: the log was cut or rewritten"]


def glance(connection: sa.Connection, chain_key: Secret, count: int) -> chain.Verdict:
    """Whether the last `count` records of each chain follow each other; what came before is taken as it is."""
    total, last, findings = 0, dict[str, ledger.Head](), list[str]()
    for name in writers(connection):
        if name not in chain.WRITERS:
            findings.append(f"there is a chain of an unknown writer: {name!r}")
            continue
        newest = sa.select(*_COLUMNS).where(audit_record.c.writer == name).order_by(audit_record.c.sequence.desc())
        found = [_record(row, name) for row in connection.execute(newest.limit(count + 1))][::-1]
        before = ledger.Head(found[0].sequence, found[0].link) if len(found) > count else None
        walked = found if before is None else found[1:]
        verdict = ledger.verify(walked, chain.writer_key(chain_key, name), after=before)
        findings += verdict.findings if name == chain.MAIN else [f"{name}: {one}" for one in verdict.findings]
        total += verdict.count
        last[name] = verdict.head
    return chain.Verdict(total, chain.Heads(last), tuple(findings))


def _missing(connection: sa.Connection, first: ledger.Entry) -> list[str]:
    """What the first record of a chain names of the others, and is not there as it was."""
    try:
        said = events.read(first.payload or b"")
        named = said["heads"] if said["kind"] == Kind.CHAIN_STARTED else []
        seen = [chain.read_head(text) for text in named] if isinstance(named, list) else []
    except (ValueError, KeyError, Misuse):
        return []  # no record of ours: the walk has found it
    columns = audit_record.c
    findings = []
    for writer, other in seen:
        there = sa.select(columns.link).where(columns.writer == writer, columns.sequence == other.sequence)
        found = connection.execute(there).scalar_one_or_none()
        if found is None or bytes(found) != other.link:
            findings.append(
                f"record {other.sequence} of {writer}, which this chain saw, is not there: {writer} was cut"
            )
    return findings


def tail(connection: sa.Connection, count: int) -> list[Record]:
    """The last `count` records of all chains together, the oldest first."""
    return page(connection, count, None)[0][::-1]


def page(
    connection: sa.Connection, count: int, before: Mapping[str, int] | None
) -> tuple[list[Record], dict[str, int] | None]:
    """At most `count` records, the newest first, and what to go on `before`; None at the end.

    `before`: for each chain the first record that was read already. A chain that is not in it began meanwhile.
    """
    if before is None:
        before = {name: last.sequence + 1 for name, last in heads(connection).items()}
    columns, chains = audit_record.c, []
    for name, bound in before.items():
        newest = sa.select(*_COLUMNS).where(columns.writer == name, columns.sequence < bound)
        rows = connection.execute(newest.order_by(columns.sequence.desc()).limit(count + 1))
        chains.append([_record(row, name) for row in rows])
    found = list(itertools.islice(heapq.merge(*chains, key=lambda record: record.at, reverse=True), count + 1))
    if len(found) <= count:
        return found, None
    # Of one chain they come in its order, so that the last of it here is where it goes on.
    return found[:count], {**before, **{one.writer: one.sequence for one in found[:count]}}


def _entries(connection: sa.Connection, writer: str, *, after: int = 0) -> Iterator[ledger.Entry]:
    """A chain, or what comes `after` a number of it, in order, a few at a time."""
    statement = sa.select(*_COLUMNS).where(audit_record.c.writer == writer).order_by(audit_record.c.sequence)
    if after:
        statement = statement.where(audit_record.c.sequence > after)
    for row in connection.execute(statement, execution_options={"yield_per": _BATCH}):
        yield _record(row, writer)


def _record(row: sa.Row[*tuple[object, ...]], writer: str) -> Record:
    return Record(**row._asdict(), writer=writer)
