"""What was proven, read and written."""

import json
from collections import defaultdict

from tests.standards.citations import ROOT, Requirement, Test

PROOFS = ROOT / "docs" / "reference" / "standards.json"
TABLE = ROOT / "docs" / "reference" / "standards.md"

Proofs = dict[str, dict[str, str]]

_HEAD = """\
# Standards

Which rule of which standard stands where in the code, and which test fails when it is taken away. Made by `make
standards` from the citations in code and tests: each row was seen to fail, with the tagged statement removed.

"""


def read_proofs() -> Proofs:
    return json.loads(PROOFS.read_text(encoding="utf-8")) if PROOFS.exists() else {}


def is_current(one: Requirement, proofs: Proofs, tests: list[Test]) -> bool:
    """Whether statement and test are still those that were seen."""
    proof = proofs.get(one.key)
    if proof is None or proof["statement"] != one.digest:
        return False
    return any(test.id == proof["test"] and test.digest == proof["as"] for test in tests)


def write_table(requirements: list[Requirement], proofs: Proofs, tests: list[Test]) -> str:
    rows: dict[int, list[tuple[list[int], str]]] = defaultdict(list)
    for one in requirements:
        proof = proofs.get(one.key)
        if proof is None:
            continue
        number = one.places[0][0]
        sections = ", ".join(place if rfc == number else f"RFC {rfc} {place}" for rfc, place in one.places)
        home = one.path.removeprefix("src/keyfob/")
        where = f"[{home}](../../{one.path})" + (f" `{one.function}`" if one.function else "")
        path, _, name = proof["test"].partition("::")
        text = one.text.replace("|", "\\|")
        row = f"| {sections} | {text} | {where} | [{_said(name)}](../../{path}) |"
        rows[number].append((_order(one.places[0][1]), row))
    parts = [_HEAD]
    for number in sorted(rows):
        parts.append(f"## RFC {number}\n\n| section | what | where | proven by |\n|---|---|---|---|\n")
        parts.append("\n".join(row for _, row in sorted(rows[number])) + "\n\n")
    also = {(number, place) for test in tests for number, place in test.places}
    tagged = {place for one in requirements for place in one.places}
    rest = sorted(also - tagged, key=lambda one: (one[0], _order(one[1])))
    if rest:
        listed = ", ".join(f"RFC {number} {place}" for number, place in rest)
        parts.append(
            f"## Tested as a whole\n\nCited by tests of whole requests, with no one statement to take away: {listed}.\n"
        )
    return "".join(parts)


def _said(name: str) -> str:
    return name.removeprefix("test_").replace("_", " ")


def _order(place: str) -> list[int]:
    return [
        int(part) if part.isdigit() else 1000 + ord(part)
        for part in place.removeprefix("§").removeprefix("appendix ").split(".")
    ]
