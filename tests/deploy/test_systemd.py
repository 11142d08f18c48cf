"""The units: systemd itself reads and rates them, and what they start is there."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.conftest import DEPLOY
from docs.test_documents import PROGRAMS

UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
MOST_EXPOSED = "15"
"""In tenths: 0 exposes nothing, 100 everything. A service that must reach the network stands at 12."""


@pytest.fixture(scope="module", params=UNITS, ids=lambda unit: unit.stem)
def unit(request, tmp_path_factory) -> Path:
    """With a program where it says that one is: systemd looks."""
    programs = tmp_path_factory.mktemp("bin")
    for name in PROGRAMS:
        (programs / name).symlink_to(sys.executable)
    copied = programs / request.param.name
    copied.write_text(request.param.read_text().replace("/opt/keyfob/bin", str(programs)))
    return copied


def analyze(*arguments: object) -> "subprocess.CompletedProcess[str]":
    program = shutil.which("systemd-analyze")
    if program is None:
        pytest.skip("no systemd-analyze on this machine")
    return subprocess.run([program, "--no-pager", *map(str, arguments)], capture_output=True, text=True)


def test_systemd_finds_no_fault(unit):
    done = analyze("verify", unit)
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_little_is_exposed(unit):
    done = analyze("security", "--offline=true", f"--threshold={MOST_EXPOSED}", unit)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_unit_has_an_account_and_a_home_of_its_own():
    accounts = (DEPLOY / "systemd" / "keyfob.conf").read_text()
    for path in UNITS:
        text = path.read_text()
        assert f"\nUser={path.stem}\n" in text and f"\nStateDirectory={path.stem}\n" in text
        assert f"u {path.stem} - " in accounts and f"/var/lib/{path.stem}\n" in accounts
