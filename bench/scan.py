"""How fast `keyfob scan` looks through plain files in the page cache, and what of that is reading alone.

Texts, a log, base64 and random bytes, made in a temporary folder. A sandbox may not count what its kernel does for us:
then reading alone looks faster than it is.
"""

import base64
import os
import random
import tempfile
import time
from pathlib import Path

from ground import PLACE
from measuring import Figure, cost

from keyfob.partner.scan import tree
from keyfob.partner.scan.archives import MAX_UNPACKED
from keyfob.partner.scan.finding import Report
from keyfob.partner.scan.reading import BLOCK

GOAL = 200
SIZE = 64_000_000


def measure(*, rounds: int, count: int, size: int = SIZE) -> tuple[list[Figure], list[str]]:
    """`count` is of no use here: a file is read once in each round."""
    PLACE.mkdir(exist_ok=True)
    figures: list[Figure] = []
    for name, make in MADE.items():
        with tempfile.TemporaryDirectory(dir=PLACE) as folder:
            make(Path(folder), size)
            reading, scanning, clock = look(Path(folder), rounds)
        floor = f"{name}, read alone"
        figures.append(Figure(f"{name}, scanned", "MB/CPU s", scanning, floor=floor, bound=GOAL, is_rate=True))
        figures.append(Figure(f"{name}, scanned, by the clock", "MB/s", clock, bound=GOAL, is_rate=True))
        figures.append(Figure(floor, "MB/CPU s", reading, is_rate=True))
    return figures, []


def look(folder: Path, rounds: int) -> tuple[tuple[float, ...], ...]:
    """MB that are read and that are scanned in a second of the processor, and scanned in one of the clock."""
    report = Report()
    files = [path for path in tree.files_below(folder, report) if path.is_file()]
    size = sum(path.stat().st_size for path in files) / 1e6
    clock: list[float] = []

    def scan() -> None:
        began = time.perf_counter()
        for path in files:
            tree.scan_file(path, report, max_unpacked=MAX_UNPACKED)
        clock.append(size / (time.perf_counter() - began))

    def read() -> None:
        for path in files:
            with path.open("rb", buffering=0) as file:
                while file.read(BLOCK):
                    pass

    reading = tuple(size / one * 1000 for one in cost(read, 1, rounds))
    scanning = tuple(size / one * 1000 for one in cost(scan, 1, rounds))
    return reading, scanning, tuple(clock[-rounds:])


def source(folder: Path, size: int) -> None:
    """What Python comes with, in its own files."""
    files = sorted(Path(os.__file__).parent.rglob("*.py"))[:4000]
    for number, path in enumerate(files):
        (folder / f"{number}.py").write_bytes(path.read_bytes())


def log(folder: Path, size: int) -> None:
    chance = random.Random(1)
    lines = (
        f"2026-01-{chance.randrange(1, 29):02} 12:{chance.randrange(60):02}:00 INFO token_issued "
        f"client_id=cl_{chance.getrandbits(100):x} scope=studies:read lifetime=900 jti={chance.getrandbits(128):x}\n"
        for _ in range(20_000)
    )
    (folder / "log").write_text("".join(lines) * max(1, size // 2_600_000))


def random_bytes(folder: Path, size: int) -> None:
    (folder / "random").write_bytes(os.urandom(size))


def encoded(folder: Path, size: int) -> None:
    (folder / "base64").write_bytes(base64.encodebytes(os.urandom(size // 4 * 3)))


MADE = {"source": source, "log": log, "random": random_bytes, "base64": encoded}
