"""What every benchmark is measured with: figures with their samples, a process's CPU time, and what machine it was.

CPU seconds, since on a shared machine those of the clock say how busy the others are; and each as a ratio to a floor of
the same run, since two machines, or two hours of one, are never alike.
"""

import json
import os
import platform
import sqlite3
import ssl
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
"""What is committed; the page is made from it."""


@dataclass(frozen=True, slots=True)
class Figure:
    """`samples` are one for each round. `floor` names the figure of the same part that this one stands on.

    `bound` is what it should be at most (at least, for a rate): its median, or its ratio to `against`, another figure
    of the same part, once `plus` was taken off.
    """

    name: str
    unit: str
    samples: tuple[float, ...]
    floor: str | None = None
    bound: float | None = None
    against: str | None = None
    plus: float = 0.0
    is_rate: bool = False
    note: str = ""

    @property
    def median(self) -> float:
        return statistics.median(self.samples)

    @property
    def spread(self) -> float:
        """From the least to the most, as a part of the median."""
        return (max(self.samples) - min(self.samples)) / self.median if self.median else 0.0


def ratio(figure: Figure, other: Figure) -> float:
    """How many times the other: the median of the rounds' own ratios, since what disturbs a round disturbs both."""
    if len(figure.samples) != len(other.samples) or 0.0 in other.samples:
        return figure.median / other.median
    return statistics.median(one / floor for one, floor in zip(figure.samples, other.samples, strict=True))


def met(figure: Figure, figures: dict[str, Figure]) -> bool | None:
    """Whether its bound holds; None where it has none, or what it is compared with was not measured."""
    if figure.bound is None or (figure.against is not None and figure.against not in figures):
        return None
    if figure.against is None:
        value = figure.median
    elif figure.plus:
        value = (figure.median - figure.plus) / figures[figure.against].median
    else:
        value = ratio(figure, figures[figure.against])
    return value >= figure.bound if figure.is_rate else value <= figure.bound


def cpu_of(pid: int) -> float:
    """CPU seconds of a process with all its threads, to the nanosecond (Linux)."""
    return time.clock_gettime((~pid << 3) | 2)


def children_of(pid: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True)
    return [int(one) for one in listed.stdout.split()]


def memory_of(pid: int) -> float:
    """Megabytes, proportional set size: what is shared counts for its share."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024 / 1e6
    raise OSError("no proportional set size here")


def cost(way: Callable[[], object], count: int, rounds: int) -> tuple[float, ...]:
    """CPU milliseconds of one call, which is CPU seconds of a thousand; one sample for each round."""
    way()
    samples = []
    for _ in range(rounds):
        began = time.process_time()
        for _ in range(count):
            way()
        samples.append((time.process_time() - began) / count * 1000)
    return tuple(samples)


def machine() -> dict[str, str]:
    """What a reader has to know to compare."""
    processor = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    packages = ("cryptography", "uvicorn", "uvloop", "httptools", "sqlalchemy", "msgspec")
    return {
        "processor": f"{processor}, {os.cpu_count()} cores",
        "system": f"{platform.system()} {platform.release().partition('-')[0]}",
        "python": platform.python_version(),
        "openssl": ssl.OPENSSL_VERSION,
        "sqlite": sqlite3.sqlite_version,
        **{name: version(name) for name in packages},
    }


def commit() -> str:
    """With a + where the product's own source is not what was committed."""
    said = [
        subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout.strip()
        for words in (("rev-parse", "--short=12", "HEAD"), ("status", "--porcelain", "src"))
    ]
    return said[0] + ("+" if said[1] else "")


def write(folder: Path, part: str, figures: Iterable[Figure], *, notes: Iterable[str], about: str) -> None:
    """`part`.json: the raw samples, and where and of what they were taken. `about`: what was measured, in words."""
    document = {
        "part": part,
        "about": about,
        "commit": commit(),
        "measured_at": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "machine": machine(),
        "notes": list(notes),
        "figures": [
            {key: value for key, value in asdict(figure).items() if value is not None and value not in ("", False, 0.0)}
            for figure in figures
        ],
    }
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(document, indent=1, ensure_ascii=False)
    (folder / f"{part}.json").write_text(text + "\n", encoding="utf-8")


def read(path: Path) -> dict[str, Figure]:
    found = json.loads(path.read_text(encoding="utf-8"))["figures"]
    return {one["name"]: Figure(**{**one, "samples": tuple(one["samples"])}) for one in found}


def tell(figure: Figure, figures: dict[str, Figure]) -> None:
    """One line, as soon as it is known."""
    floor = figures.get(figure.floor or "")
    beside = f"{ratio(figure, floor):7.2f} x {floor.name}" if floor else ""
    is_met = {True: "met", False: "MISSED", None: ""}[met(figure, figures)]
    print(f"  {figure.name:58}{figure.median:10.3f} {figure.unit:18}{beside:40}{is_met}", flush=True)


def fail(why: str) -> None:
    print(f"bench: {why}: nothing is reported", file=sys.stderr)
    raise SystemExit(1)
