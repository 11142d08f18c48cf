"""What was proven, read and written."""

import json
from collections import defaultdict
from collections.abc import Iterator

from tests.standards.citations import ROOT, Requirement, Test
from tests.standards.not_applicable import NOT_APPLICABLE, TITLES

PROOFS = ROOT / "docs" / "reference" / "standards.json"
TABLE = ROOT / "docs" / "reference" / "standards.md"

Proofs = dict[str, dict[str, str]]

_HEAD = """\
# Standards

Which rule of which standard stands where in the code, and which test fails when it is taken away. Made by `make
standards` from the citations in code and tests: each rule below was taken out of the code, and the test named beside it
was seen to fail.

*Tested as a whole* are rules that no single statement keeps, such as what must never be sent. *Not applicable* is what
speaks of parts that Keyfob does not have.
"""


def read_proofs() -> Proofs:
    return json.loads(PROOFS.read_text(encoding="utf-8")) if PROOFS.exists() else {}


def is_current(one: Requirement, proofs: Proofs, tests: list[Test]) -> bool:
    """Whether statement and test are still those that were seen, and the test still cites the place."""
    proof = proofs.get(one.key)
    if proof is None or proof["statement"] != one.digest:
        return False
    return any(
        test.id == proof["test"] and test.digest == proof["as"] and test.places & set(one.places) for test in tests
    )


def write_table(requirements: list[Requirement], proofs: Proofs, tests: list[Test]) -> str:
    proven = [one for one in requirements if one.key in proofs]
    numbers = {number for one in (*proven, *tests) for number, _ in one.places} | set(NOT_APPLICABLE)
    parts = [_HEAD]
    for number in sorted(numbers):
        title = f", {TITLES[number]}" if number in TITLES else ""
        parts.append(f"\n## [RFC {number}](https://www.rfc-editor.org/rfc/rfc{number}){title}\n")
        parts += _section("| section | what | where | proven by |", _proven(number, proven, proofs))
        parts += _section("| section | tested as a whole |", _whole(number, proven, proofs, tests))
        parts += _section("| section | not applicable |", _not_applicable(number))
    return "".join(parts)


Rows = Iterator[tuple[str, str]]
"""Where each belongs in the order of sections, and its cells."""


def _section(head: str, rows: Rows) -> Iterator[str]:
    listed = sorted(rows, key=lambda row: (_order(row[0]), row[1]))
    if listed:
        yield f"\n{head}\n{'|---' * (head.count('|') - 1)}|\n"
        yield from (f"| {cells} |\n" for _, cells in listed)


def _proven(number: int, requirements: list[Requirement], proofs: Proofs) -> Rows:
    """Each requirement, under every RFC that it names."""
    for one in requirements:
        sections = [place for rfc, place in one.places if rfc == number]
        if sections:
            where = f"[{one.path.removeprefix('src/keyfob/')}](../../{one.path})"
            where += f" `{one.function}`" if one.function else ""
            test = _linked(proofs[one.key]["test"])
            yield sections[0], f"{', '.join(sections)} | {one.text.replace('|', chr(92) + '|')} | {where} | {test}"


def _whole(number: int, requirements: list[Requirement], proofs: Proofs, tests: list[Test]) -> Rows:
    """The tests of a section that are no statement's proof there."""
    named = {(proofs[one.key]["test"], place) for one in requirements for place in one.places}
    found = defaultdict(list)
    for test in tests:
        for place in test.places:
            if place[0] == number and (test.id, place) not in named:
                found[place[1]].append(_linked(test.id))
    for section, names in found.items():
        yield section, f"{section} | {'; '.join(sorted(names))}"


def _not_applicable(number: int) -> Rows:
    for sections, why in NOT_APPLICABLE.get(number, {}).items():
        yield sections.partition(",")[0], f"{sections} | {why}"


def _linked(test: str) -> str:
    path, _, name = test.partition("::")
    return f"[{name.removeprefix('test_').replace('_', ' ')}](../../{path})"


def _order(place: str) -> list[int]:
    return [
        int(part) if part.isdigit() else 1000 + ord(part)
        for part in place.removeprefix("§").removeprefix("appendix ").split(".")
    ]
