"""docs/explanation/performance.md, out of the samples that are committed in bench/results."""

import json
from pathlib import Path

import measuring
from measuring import RESULTS, ROOT, Figure, met, ratio

PAGE = ROOT / "docs" / "explanation" / "performance.md"
TITLES = {
    "tokens": "A token",
    "connections": "A new connection for each token",
    "nodes": "Two workers",
    "greedy": "A greedy partner beside a good one",
    "start": "Start, memory, a single client",
    "guard": "The guard",
    "sdk": "The partner's library",
    "scan": "Looking for leaked secrets",
    "clinical": "Clinical data",
    "scale": "A million clients, ten million records",
}
_OPENING = """# What it costs

`make bench` measures all of this in under ten minutes, on two cores, and writes this page; its raw samples are in
[bench/results](../../bench/results). Whom we stand beside is installed by it, and where that cannot be, the table says so.

Costs are CPU seconds for a thousand, since on a shared machine those of the clock say how busy the others are; beside each
stands its ratio to a floor of the same run (a bare route of the same HTTP server, one raw signature), since two machines, or
two hours of one, are never alike. The spread is from the least round to the most, as a part of the median. Before anything is
timed, tokens are asked for by many at once, the server is killed with `kill -9`, and the record of every token that was
received is read back; and the server must have been seen in `fsync` meanwhile. With fsync stubbed out nothing is reported.
"""
_CLOSING = """## Again, and compared

| command | what |
|---|---|
| `make bench` | all of the above but the last table, anew |
| `make bench PARTS="tokens start"` | some of it |
| `make bench-compare` | measures again, shows what costs over 15 % more than here, as a ratio to its floor, and then exits with 1 |
| `make bench-scale` | the table of a million clients (20 minutes, and at most 20 GB of disk) |
| `make bench-scale ROWS=10000` | the same with so many clients, and ten records for each |
"""


def render(folder: Path) -> str:
    parts = [_OPENING]
    for part in TITLES:
        if (folder / f"{part}.json").exists():
            parts.append(_part(folder / f"{part}.json"))
        elif part == "scale":
            parts.append(f"## {TITLES[part]}\n\nNot measured yet: `make bench-scale`.\n")
    tried = ROOT / "bench" / "tried.md"
    return "\n".join([*parts, tried.read_text(encoding="utf-8"), _CLOSING])


def _part(path: Path) -> str:
    found = json.loads(path.read_text(encoding="utf-8"))
    figures = measuring.read(path)
    rows = [_row(figure, figures) for figure in figures.values()]
    table = "| | median | | spread | beside its floor | bound | |\n|---|---:|---|---:|---|---|---|\n" + "\n".join(rows)
    machine = found["machine"]
    versions = ", ".join(f"{name} {said}" for name, said in machine.items() if name not in ("processor", "system"))
    where = (
        f"{found['measured_at']}, commit {found['commit']}: {machine['processor']}, {machine['system']}; {versions}."
    )
    notes = "".join(f" {note}" for note in dict.fromkeys(found["notes"]))
    return f"## {TITLES[found['part']]}\n\n{found['about']}\n\n{table}\n\n{where}{notes}\n"


def _row(figure: Figure, figures: dict[str, Figure]) -> str:
    floor = figures.get(figure.floor or "")
    beside = f"{ratio(figure, floor):.2f} × {floor.name}" if floor else ""
    is_met = {True: "met", False: "**missed**", None: ""}[met(figure, figures)]
    return (
        f"| {figure.name} | {_number(figure.median)} | {figure.unit} | {figure.spread:.0%} | {beside} "
        f"| {_bound(figure)} | {is_met} |"
    )


def _bound(figure: Figure) -> str:
    if figure.bound is None:
        return ""
    said = f"{'≥' if figure.is_rate else '≤'} {figure.bound:g}"
    more = f" + {figure.plus:g}" if figure.plus else ""
    return said if figure.against is None else f"{said} × {figure.against}{more}"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}" if value else "0"


def write() -> None:
    PAGE.write_text(render(RESULTS), encoding="utf-8")


if __name__ == "__main__":
    write()
