"""`make standards`: take each tagged statement away, see which test notices, and write what was seen.

Only what changed since the last time is proven anew. The table is docs/reference/standards.md; what it stands on is
docs/reference/standards.json, which `tests/standards/test_standards.py` compares with the code at every run.
"""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.standards.citations import ROOT, Requirement, Test, requirements, tests
from tests.standards.mutation import mutants
from tests.standards.table import PROOFS, TABLE, is_current, read_proofs, write_table

_LONGEST = 300
_FAILED = 1  # pytest's exit code for failed tests


def main() -> int:
    known, every_test, every = read_proofs(), tests(), requirements()
    stale = [one for one in every if not is_current(one, known, every_test)]
    print(f"{len(every)} tagged requirements, {len(stale)} to prove")
    proofs = {one.key: known[one.key] for one in every if one not in stale}
    unproven = []
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        for one, test in zip(stale, pool.map(lambda one: _prove(one, every_test), stale), strict=True):
            if test is None:
                unproven.append(one)
                continue
            proofs[one.key] = {"statement": one.digest, "test": test.id, "as": test.digest}
            PROOFS.write_text(json.dumps(dict(sorted(proofs.items())), indent=1, ensure_ascii=False) + "\n")
    PROOFS.write_text(json.dumps(dict(sorted(proofs.items())), indent=1, ensure_ascii=False) + "\n")
    TABLE.write_text(write_table(every, proofs, every_test), encoding="utf-8")
    for one in unproven:
        print(f"not proven: {one.key} ({_shown(one)}): no test that cites it fails without it")
    return 1 if unproven else 0


def _shown(one: Requirement) -> str:
    return ", ".join(f"RFC {number} {place}" for number, place in one.places)


def _prove(one: Requirement, every_test: list[Test]) -> Test | None:
    """The first test that cites the place, and fails without the statement. Quick tests are asked first."""
    citing = sorted(
        (test for test in every_test if test.places & set(one.places)),
        key=lambda test: ("/wire/" in test.id or "/cdms/" in test.id or "/partner/" in test.id, test.id),
    )
    source = (ROOT / one.path).read_text(encoding="utf-8")
    for mutant in mutants(source, one.node):
        with _overlay(one.path, mutant) as folder:
            for test in citing:
                if _fails(test, folder):
                    print(f"proven: {one.key} by {test.id}", flush=True)
                    return test
    return None


@contextlib.contextmanager
def _overlay(path: str, source: str) -> Iterator[Path]:
    """A copy of src with one file changed."""
    with tempfile.TemporaryDirectory(prefix="keyfob-mutant-") as folder:
        copy = Path(folder) / "src"
        shutil.copytree(ROOT / "src", copy, ignore=shutil.ignore_patterns("__pycache__"))
        (Path(folder) / path).write_text(source, encoding="utf-8")
        yield copy


def _fails(test: Test, folder: Path) -> bool:
    command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "-p", "no:randomly", test.id]
    environment = {**os.environ, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=_LONGEST)
    except subprocess.TimeoutExpired:
        return True
    # A program that no longer starts at all proves nothing about the statement.
    return done.returncode == _FAILED and "ImportError" not in done.stdout and "SyntaxError" not in done.stdout


if __name__ == "__main__":
    sys.exit(main())
