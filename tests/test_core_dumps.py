"""No program of ours leaves an image of its memory, nor does what it forks; a process that forbids nothing does."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from crashing import core_limit_raised

SECRET = "a-marker-that-stands-for-a-secret"
CRASHES = f"""
import importlib, json, os
from keyfob import command

DUMPED = 3 << 8  # the status of a child whose own child was dumped

def crash(*_):
    marker = {SECRET!r}.swapcase()
    os.abort()

def fork(work):
    pid = os.fork()
    if pid == 0:
        work()
    status = os.waitpid(pid, 0)[1]
    return os.WCOREDUMP(status) or status == DUMPED

def forks_and_crashes(*_):
    os._exit(DUMPED >> 8) if fork(crash) else crash()

found = {{"nothing was forbidden": fork(crash)}}
command.run = forks_and_crashes
for name in ("partner", "server", "cdms", "guard"):
    found[name] = fork(importlib.import_module(f"keyfob.{{name}}.cli").main)
print(json.dumps(found))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
def test_no_program_of_ours_leaves_a_core_dump(tmp_path: Path):
    with core_limit_raised() as is_raised:
        done = subprocess.run([sys.executable, "-c", CRASHES], cwd=tmp_path, capture_output=True, text=True, check=True)
    found = json.loads(done.stdout)
    assert found.pop("nothing was forbidden") is is_raised, "the test can fail"
    assert found == dict.fromkeys(("partner", "server", "cdms", "guard"), False)
    left = list(tmp_path.iterdir())
    assert len(left) <= 1, "that of the process which forbids nothing, where the kernel puts it there"
    assert all(SECRET.swapcase().encode() in core.read_bytes() for core in left)
    for core in left:
        core.unlink()


@pytest.mark.skipif(sys.platform != "linux", reason="needs prctl")
def test_a_program_that_is_started_by_one_of_ours_is_itself_again(tmp_path: Path):
    """What a partner runs by `keyfob run` may be debugged like any other."""
    asks = "import ctypes; print(ctypes.CDLL(None).prctl(3))"
    script = f"import os, sys; from keyfob.core_dumps import forbid_core_dumps; forbid_core_dumps(); {asks}; "
    script += f"sys.stdout.flush(); os.execv(sys.executable, [sys.executable, '-c', {asks!r}])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0", "1"]
