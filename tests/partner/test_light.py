"""The partner's install stays light: few packages, and an import that waits for none of the heavy ones."""

import re
import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

LOCKED = Path(__file__).parents[2] / "requirements" / "base.txt"
NOT_COUNTED = {"keyfob", "cryptography", "cffi", "pycparser"}


def brought_by(name: str, found: set[str]) -> set[str]:
    """`name` and what it asks for here without an extra, and what that asks for."""
    name = re.sub(r"[-_.]+", "-", name).lower()
    if name not in found:
        found.add(name)
        for one in map(Requirement, metadata.requires(name) or ()):
            if one.marker is None or one.marker.evaluate({"extra": ""}):
                brought_by(one.name, found)
    return found


def test_pip_install_brings_at_most_ten_packages_besides_cryptography():
    locked = set(re.findall(r"^([a-z0-9][a-z0-9-]*)==", LOCKED.read_text(), re.MULTILINE))
    # Of every platform, so these are more than there are on any one.
    assert len(locked - NOT_COUNTED) <= 10, locked
    here = brought_by("keyfob", set()) - NOT_COUNTED
    assert here <= locked
    assert {"httpx2", "click", "pysequoia"} <= here


@pytest.mark.parametrize("statement", ["import keyfob.partner", "from keyfob.partner import Session, AsyncSession"])
def test_an_import_waits_for_nothing_that_only_a_first_call_needs(statement):
    """How many milliseconds it takes, `bench/sdk.py` shows."""
    heavy = "{'httpx2', 'cryptography', 'pysequoia', 'ssl', 'asyncio', 'click', 'subprocess'}"
    script = f"import sys; before = set(sys.modules); {statement}; print(({heavy} & set(sys.modules)) - before)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "set()", done.stderr
