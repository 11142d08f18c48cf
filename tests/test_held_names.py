"""keyfob.held_names: one process holds a name, and holds it no longer than it lives."""

import os
import subprocess
import sys

import pytest

from keyfob.held_names import HeldNames
from keyfob.problem import Problem

HOLDER = """
import sys
from pathlib import Path
from keyfob.held_names import HeldNames
names = HeldNames(Path(sys.argv[1]))
for line in sys.stdin:
    verb, _, name = line.strip().partition(" ")
    print(names.hold(name) if verb == "hold" else names.let_go(name), flush=True)
"""


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some.running"


@pytest.fixture
def other(path):
    """Another process, and what it says to `hold NAME` and `release NAME`."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:

        def ask(line):
            process.stdin.write(line + "\n")
            process.stdin.flush()
            return process.stdout.readline().strip()

        yield process, ask
        process.kill()


def test_a_name_is_held_by_one_process_until_it_lets_go(path, other):
    _, ask = other
    names = HeldNames(path)
    assert ask("hold a") == "True"
    assert not names.hold("a")
    assert names.hold("b")
    assert ask("hold b") == "False"
    assert ask("release a") == "None"
    assert names.hold("a")
    names.let_go("b")
    assert ask("hold b") == "True"


def test_who_is_killed_holds_nothing(path, other):
    process, ask = other
    names = HeldNames(path)
    assert ask("hold a") == "True"
    assert not names.hold("a")
    process.kill()
    process.wait(60)
    assert names.hold("a")


def test_the_file_is_its_owners_and_stays_empty(path):
    HeldNames(path).hold("a")
    assert path.stat().st_size == 0
    if os.name == "posix":
        assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_that_cannot_be_made_is_told_in_words(tmp_path):
    with pytest.raises(Problem, match="cannot be written to"):
        HeldNames(tmp_path / "nowhere" / "some.running").hold("a")
