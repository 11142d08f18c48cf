"""`make bench-scale`: what grows with a million clients and ten million audit records, and what must not.

The rows are made directly in the store (bench/bulk.py), on SQLite and on PostgreSQL, beside a home with a hundred
clients. A token is asked for by clients that are chosen by chance among all, so that most of them are in no memory: one
after the other, which is what a client waits for, and by sixteen at once, as fast as they are answered.
"""

import argparse
import contextlib
import random
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import bulk
import page
from ground import PLAIN, Ground, made
from loading import Taken, Target, load
from measuring import RESULTS, Figure, memory_of, tell, write
from nodes import postgresql

from keyfob.server.installation import Installation

FEW = 100
LATER = 10_000
"""Records that come after the whole trail was walked."""
RECORDS_PER_CLIENT = 10


@dataclass
class Seen:
    """Of one home, in rounds."""

    ready: list[float] = field(default_factory=list)
    memory: list[float] = field(default_factory=list)
    alone: list[Taken] = field(default_factory=list)
    tokens: list[Taken] = field(default_factory=list)
    pages: dict[str, list[float]] = field(default_factory=dict)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="clients; ten records for each")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--count", type=int, default=5000, help="tokens of a round")
    options = parser.parse_args()
    figures: list[Figure] = []
    about = (__doc__ or "").partition("\n\n")[2].strip()
    notes = [f"{options.rows:,} clients, {options.rows * RECORDS_PER_CLIENT:,} audit records."]
    with postgresql() as database:
        for kind, where in {"SQLite": None, "PostgreSQL": database}.items():
            if kind == "PostgreSQL" and where is None:
                continue
            for figure in measure(kind, where, options.rows, options.rounds, options.count):
                figures.append(figure)
                tell(figure, {one.name: one for one in figures})
            # After each of the two: it takes long, and what was measured is not to be lost.
            write(RESULTS, "scale", figures, notes=notes, about=about)
            page.write()


def measure(kind: str, where: str | None, rows: int, rounds: int, count: int) -> Iterator[Figure]:
    with made(database=where) as home:
        began = time.perf_counter()
        with installed(home) as opened:
            bulk.add_clients(opened, FEW)
        few = look(home, FEW, rounds, count)
        with installed(home) as opened:
            bulk.add_clients(opened, rows, first=FEW)
            bulk.add_records(opened, rows * RECORDS_PER_CLIENT, clients=rows)
        print(f"{kind}: made in {time.perf_counter() - began:.0f} s", file=sys.stderr)
        many = look(home, rows, rounds, count)
        yield from told(kind, few, many, rows)
        yield from audited(kind, home, rows)


def look(home: Ground, clients: int, rounds: int, count: int) -> Seen:
    chance = random.Random(1)
    seen = Seen()
    for _ in range(rounds):
        one_by_one, at_once = (
            [Target(8451, lambda: 0.0, credential=bulk.pair(chance.randrange(clients))).head() for _ in range(some)]
            for some in (count // 5, count)
        )
        began = time.perf_counter()
        with home.serving(8451, **PLAIN) as server:
            seen.ready.append(time.perf_counter() - began)
            for heads, connections, taken in ((one_by_one, 1, seen.alone), (at_once, 16, seen.tokens)):
                target = Target(server.port, server.cpu, heads=heads)
                taken.append(load(target, len(heads), connections=connections, warm=16))
                if taken[-1].errors:
                    raise OSError(f"{taken[-1].errors} of {len(heads)} clients got no token")
            seen.memory.append(memory_of(server.process.pid))
        with installed(home) as opened:
            for what, ask in {
                "a page of the audit trail": lambda: opened.store.audit_tail(100),
                "a page of clients": lambda: first_page(opened),
            }.items():
                began = time.perf_counter()
                ask()
                seen.pages.setdefault(what, []).append((time.perf_counter() - began) * 1000)
    return seen


def first_page(opened: Installation) -> int:
    """As `client list` asks for it."""
    with opened.store.reading() as reading:
        return len(reading.clients(limit=100))


def told(kind: str, few: Seen, many: Seen, rows: int) -> Iterator[Figure]:
    for what, unit, of, bound in (
        ("from the start to ready", "s", lambda seen: seen.ready, None),
        ("memory of one worker", "MB (PSS)", lambda seen: seen.memory, None),
        ("a token, one client after the other, median", "ms", lambda seen: [one.p50 for one in seen.alone], 1.2),
        ("a token, one client after the other, p99", "ms", lambda seen: [one.p99 for one in seen.alone], None),
        ("a token, 16 clients at once, median", "ms", lambda seen: [one.p50 for one in seen.tokens], None),
        ("a token, 16 clients at once, p99", "ms", lambda seen: [one.p99 for one in seen.tokens], None),
        ("a token", "CPU s/1,000", lambda seen: [one.cpu for one in seen.tokens], None),
        ("a page of 100 audit records", "ms", lambda seen: seen.pages["a page of the audit trail"], None),
        ("a page of 100 clients", "ms", lambda seen: seen.pages["a page of clients"], None),
    ):
        floor = f"{kind}, {FEW} clients: {what}"
        yield Figure(floor, unit, tuple(of(few)))
        compared = {} if bound is None else {"against": floor, "bound": bound}
        yield Figure(f"{kind}, {rows:,} clients: {what}", unit, tuple(of(many)), floor=floor, **compared)


def audited(kind: str, home: Ground, rows: int) -> Iterator[Figure]:
    """The whole walk, and what comes after a head that was noted: as long as what came since, however long the rest."""
    with installed(home) as opened:
        began, cpu = time.perf_counter(), time.process_time()
        whole = opened.store.audit_verdict()
        spent, seconds = time.process_time() - cpu, time.perf_counter() - began
        if whole.findings:
            raise OSError(f"the trail is not whole: {whole.findings[:3]}")
        yield Figure(f"{kind}: audit verify, all {whole.count:,} records", "s", (seconds,))
        yield Figure(f"{kind}: audit verify, a record", "CPU s/1,000", (spent / whole.count * 1000,))
        bulk.add_records(opened, LATER, clients=min(rows, LATER))
        began = time.perf_counter()
        later = opened.store.audit_verdict(since=whole.heads)
        seconds = time.perf_counter() - began
        if later.findings or later.count != LATER:
            raise OSError(f"of {LATER} later records {later.count} were walked: {later.findings[:3]}")
        yield Figure(f"{kind}: audit verify --since, {LATER:,} later records", "s", (seconds,))


@contextlib.contextmanager
def installed(home: Ground) -> Iterator[Installation]:
    opened = bulk.opened(home.home, dict(home.environ))
    try:
        yield opened
    finally:
        opened.close()


if __name__ == "__main__":
    main()
