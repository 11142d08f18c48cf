"""`make bench-compare`: measures anew, and shows what costs more than the committed baseline by over 15 %.

What is compared is the ratio to the floor of the same run, which a slower machine does not change; a figure without a
floor is compared as it is, if it is CPU time.
"""

import sys
import tempfile
from pathlib import Path

import run
from measuring import RESULTS, Figure, ratio, read

MOST = 1.15


def main() -> int:
    parts = sys.argv[1:] or [part for part in run.PARTS if (RESULTS / f"{part}.json").exists()]
    with tempfile.TemporaryDirectory() as name:
        run.measure(parts, Path(name), is_quick=False)
        worse = [line for part in parts for line in regressions(RESULTS / f"{part}.json", Path(name, f"{part}.json"))]
    print("\n".join(worse) or f"nothing costs over {MOST - 1:.0%} more than what is committed")
    return 1 if worse else 0


def regressions(before: Path, after: Path) -> list[str]:
    """A line for each figure of CPU time that both files hold, and that costs too much more."""
    old, new = read(before), read(after)
    lines = []
    for name in [name for name in old if name in new and "CPU" in old[name].unit]:
        was, now = _relative(old[name], old), _relative(new[name], new)
        growth = was / now if old[name].is_rate else now / was
        if growth > MOST:
            lines.append(f"{before.stem}: {name}: {growth - 1:+.0%} ({was:.3g} before, {now:.3g} now)")
    return lines


def _relative(figure: Figure, figures: dict[str, Figure]) -> float:
    floor = figures.get(figure.floor or "")
    return figure.median if floor is None else ratio(figure, floor)


if __name__ == "__main__":
    sys.exit(main())
