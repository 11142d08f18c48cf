"""`make standards`: take each tagged statement away, see which test notices, and write what was seen.

Only what changed since the last time is proven anew. The table is docs/reference/standards.md; what it stands on is
docs/reference/standards.json, which `tests/standards/test_standards.py` compares with the code at every run.
"""

import contextlib
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from xml.etree import ElementTree

sys.path.insert(0, str(Path(__file__).parents[2]))

from tests.standards.citations import ROOT, Requirement, Test, citing, requirements
from tests.standards.mutation import mutants
from tests.standards.table import PROOFS, TABLE, is_current, read_proofs, write_table

_LONGEST = 120
"""Seconds for one test."""
_SLOW = (
    "tests/guard/test_any_framework",
    "tests/guard/test_certificates",
    "tests/server/wire",
    "tests/server/commands",
    "tests/serving",
    "tests/partner",
    "tests/cdms",
    "tests/demo",
)
_CRASH = re.compile(
    r"([\w.]*\.)?(AttributeError|ImportError|IndexError|ModuleNotFoundError|NameError|SetupError|SyntaxError|TypeError|"
    r"UnboundLocalError)\b|Failed: Timeout"
)


def main() -> int:
    known, every_test, every = read_proofs(), citing(), requirements()
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
    asked = sorted((test for test in every_test if test.places & set(one.places)), key=lambda test: test.id)
    quick = [test for test in asked if not test.path.startswith(_SLOW)]
    slow = [test for test in asked if test.path.startswith(_SLOW)]
    source = (ROOT / one.path).read_text(encoding="utf-8")
    for group in (quick, slow):
        for mutant in mutants(source, one.node):
            with _overlay(one.path, mutant) as folder:
                reasons = _run(group, folder)
            for test in group:
                if says_no(reasons.get(test.id, ())) and _passes(test):
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


@functools.cache
def _passes(test: Test) -> bool:
    """Whether it does with the code as it is. What fails anyway proves nothing."""
    return _run([test], ROOT / "src") == {}


def says_no(reasons: Iterable[str]) -> bool:
    """Whether an assertion failed. A program that crashes, hangs or does not start says nothing of the rule."""
    return any(not _CRASH.match(reason) for reason in reasons)


def _run(tests: list[Test], folder: Path) -> Mapping[str, list[str]]:
    """Why which of `tests` fail with the code in `folder`."""
    if not tests:
        return {}
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        options = [f"--timeout={_LONGEST}", f"--junitxml={report.name}"]
        environment = {**os.environ, "PYTHONPATH": str(folder)}
        command = [sys.executable, "-m", "pytest", *options, *(test.id for test in tests)]
        subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False)
        cases = list(ElementTree.fromstring(Path(report.name).read_text() or "<nothing/>").iter("testcase"))
    unread = {f"{str(case.get('name')).replace('.', '/')}.py" for case in cases if not case.get("classname")}
    readable = [test for test in tests if test.path not in unread]
    if len(readable) < len(tests):
        return _run(readable, folder)  # a file that cannot even be read keeps pytest from running the others
    reasons: dict[str, list[str]] = defaultdict(list)
    for case in cases:
        path, name = str(case.get("classname")).replace(".", "/"), str(case.get("name")).partition("[")[0]
        for failed in case.iter("failure"):
            reasons[f"{path}.py::{name}"].append(str(failed.get("message")))
        for broken in case.iter("error"):
            reasons[f"{path}.py::{name}"].append(f"SetupError: {broken.get('message')}")
    return dict(reasons)


if __name__ == "__main__":
    sys.exit(main())
