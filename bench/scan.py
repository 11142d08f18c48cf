"""How fast `keyfob scan` looks through plain files in the page cache, and what of that is reading alone.

    .venv/bin/python bench/scan.py [FOLDER]

Without FOLDER: texts, a log, base64 and random bytes, made in a temporary folder. The goal is one of the clock, which
on a shared machine says how busy the others are: so the processor's seconds are printed and judged as well, and how
many programs wait for it. A sandbox may not count what its kernel does for us: then reading alone looks faster than it
is. The best of five rounds counts.
"""

import base64
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from keyfob.partner.scan import tree
from keyfob.partner.scan.archives import MAX_UNPACKED
from keyfob.partner.scan.finding import Report
from keyfob.partner.scan.reading import BLOCK

ROUNDS = 5
GOAL = 200
SIZE = 64_000_000


def main() -> None:
    if len(sys.argv) > 1:
        measure("given", Path(sys.argv[1]))
        return
    with tempfile.TemporaryDirectory() as folder:
        found = {}
        for name, make in MADE.items():
            part = Path(folder, name)
            part.mkdir()
            make(part)
            found[name] = measure(name, part)
    by_processor, _ = (judge(name, {one: speeds[index] for one, speeds in found.items()})
                              for index, name in enumerate(("by the processor", "by the clock")))  # fmt: skip
    print(f"                          {os.getloadavg()[0]:.1f} programs for {os.cpu_count()} processors")
    sys.exit(not by_processor)


def judge(how: str, speeds: dict[str, float]) -> bool:
    slow = [name for name, speed in speeds.items() if speed < GOAL]
    print(f"goal {GOAL} MB/s {how:17} " + (f"missed by {', '.join(slow)}" if slow else "met by each"))
    return not slow


def measure(name: str, folder: Path) -> tuple[float, float]:
    """MB/s by the processor, and by the clock."""
    report = Report()
    files = [path for path in tree.files_below(folder, report) if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6

    def scan() -> None:
        for path in files:
            tree.scan_file(path, report, max_unpacked=MAX_UNPACKED)

    def read() -> None:
        for path in files:
            with path.open("rb", buffering=0) as file:
                while file.read(BLOCK):
                    pass

    read()
    (reading, reading_clock), (scanning, scanning_clock) = best(read), best(scan)
    print(
        f"{name:8} {len(files):6} files {size:7.1f} MB"
        f"  MB/s: scan {size / scanning:6.0f}, reading alone {size / reading:6.0f}"
        f"  by the clock: {size / scanning_clock:6.0f}, {size / reading_clock:6.0f}"
        f"  ratio {scanning / reading:.1f} ({scanning_clock / reading_clock:.1f} by the clock)"
    )
    return size / scanning, size / scanning_clock


def best(work: Callable[[], None]) -> tuple[float, float]:
    """Seconds of the processor, and of the clock."""
    rounds = []
    for _ in range(ROUNDS):
        clock, processor = time.perf_counter(), time.process_time()
        work()
        rounds.append((time.process_time() - processor, time.perf_counter() - clock))
    return min(one for one, _ in rounds), min(one for _, one in rounds)


def source(folder: Path) -> None:
    """What Python comes with, in its own files."""
    files = sorted(Path(os.__file__).parent.rglob("*.py"))[:4000]
    for number, path in enumerate(files):
        (folder / f"{number}.py").write_bytes(path.read_bytes())


def log(folder: Path) -> None:
    chance = random.Random(1)
    lines = (
        f"2026-01-{chance.randrange(1, 29):02} 12:{chance.randrange(60):02}:00 INFO token_issued "
        f"client_id=cl_{chance.getrandbits(100):x} scope=studies:read lifetime=900 jti={chance.getrandbits(128):x}\n"
        for _ in range(20_000)
    )
    (folder / "log").write_text("".join(lines) * (SIZE // 2_600_000))


def random_bytes(folder: Path) -> None:
    (folder / "random").write_bytes(os.urandom(SIZE))


def encoded(folder: Path) -> None:
    (folder / "base64").write_bytes(base64.encodebytes(os.urandom(SIZE // 4 * 3)))


MADE = {"source": source, "log": log, "random": random_bytes, "base64": encoded}

if __name__ == "__main__":
    main()
