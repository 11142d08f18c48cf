"""All figures, in one command: `make bench`. The samples go to bench/results, and the page of them is made anew.

    .venv/bin/python bench/run.py [--quick] [--into FOLDER] [PART ...]

`--quick`: a fraction of the samples, to see that everything works; such figures say nothing, and are not kept unless a
folder is named. Parts are named as their files.
"""

import argparse
import importlib
import tempfile
import time
from pathlib import Path

import durability
import page
from measuring import RESULTS, Figure, met, tell, write

PARTS: dict[str, tuple[int, int]] = {
    "tokens": (5, 4000),
    "connections": (5, 600),
    "nodes": (5, 3000),
    "greedy": (5, 80),
    "start": (5, 3000),
    "guard": (31, 200),
    "sdk": (11, 20_000),
    "scan": (5, 1),
    "clinical": (3, 10_000),
}
"""Each part, in its order on the page; its rounds, and how much is done in one."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"of {', '.join(PARTS)}; without one, all")
    parser.add_argument("--quick", action="store_true")
    parser.add_argument("--into", type=Path)
    options = parser.parse_args()
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.into or (Path(temporary) if options.quick else RESULTS)
        measure(options.parts or list(PARTS), folder, is_quick=options.quick)
        if folder == RESULTS:
            page.write()


def measure(parts: list[str], folder: Path, *, is_quick: bool) -> None:
    began = time.monotonic()
    tokens = durability.check(100 if is_quick else 400)
    print(f"{tokens} tokens received before a kill -9, each on record; commits were seen on their way to the disk")
    missed: list[str] = []
    for part in parts:
        rounds, count = PARTS[part]
        if is_quick:
            rounds, count = 2, min(count, max(200, count // 20))
        print(f"{part}:", flush=True)
        module = importlib.import_module(part)
        figures, notes = module.measure(rounds=rounds, count=count)
        known = {figure.name: figure for figure in figures}
        for figure in figures:
            tell(figure, known)
        missed += [f"{part}: {figure.name}" for figure in figures if is_missed(figure, known)]
        about = (module.__doc__ or "").strip()
        write(folder, part, figures, notes=[f"{tokens} tokens read back after kill -9.", *notes], about=about)
    print(f"{time.monotonic() - began:.0f} s; " + ("missed: " + "; ".join(missed) if missed else "every bound is met"))


def is_missed(figure: Figure, known: dict[str, Figure]) -> bool:
    return met(figure, known) is False


if __name__ == "__main__":
    main()
