"""`make run`: the same set-up, left running until the user stops it, and started again as it was."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

DEMO = [sys.executable, "-m", "keyfob.demo", "--keep-running"]


def start(folder: Path) -> "tuple[subprocess.Popen[str], list[str]]":
    """The process, and the four lines to try."""
    process = subprocess.Popen(
        [*DEMO, str(folder), "--transcript", str(folder.parent / "t")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=folder.parent,
        # By itself, also when the tests are run by make: then it would name `make run`.
        env={name: value for name, value in os.environ.items() if name != "MAKELEVEL"},
    )
    assert process.stdout is not None
    shown = []
    for line in process.stdout:
        shown.append(line.strip())
        if line.startswith("  keyfob-server audit tail"):
            return process, shown[-4:]
    raise AssertionError("\n".join(shown))


def check_lines(folder: Path, lines: list[str]) -> None:
    setting, call, *others = lines
    assert call.startswith("keyfob call GET https://localhost:")
    assert all(other.startswith("keyfob-server ") for other in others)
    bound = {**dict(part.split("=", 1) for part in setting.split()[1:3])}
    done = subprocess.run(
        [sys.executable, "-c", "from keyfob.partner.cli import main; main()", *call.split()[1:]],
        capture_output=True,
        text=True,
        timeout=60,
        env={**bound, "PATH": "/usr/bin:/bin", "HOME": str(folder), "GNUPGHOME": str(folder / "gnupg")},
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["items"][0]["oid"] == "KF.DEMO"


def test_the_servers_are_left_running_with_three_commands_to_try_and_start_again(tmp_path):
    folder = tmp_path / "home"
    seen = []
    for number in (signal.SIGINT, signal.SIGTERM):
        process, lines = start(folder)
        try:
            check_lines(folder, lines)
        finally:
            process.send_signal(number)
            said, _ = process.communicate(timeout=60)
        assert process.returncode == 0
        assert said.strip() == (
            f"stopped; start again: python -m keyfob.demo --keep-running {folder}; remove: rm -r {folder}"
        )
        seen.append(lines)
    assert seen[0] == seen[1]


def test_a_folder_of_something_else_is_left_alone(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "mine").touch()
    for folder in (tmp_path / "home", tmp_path / "home" / "mine", tmp_path / "home" / "mine" / "below"):
        done = subprocess.run(
            [*DEMO, str(folder), "--transcript", str(tmp_path / "t")], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 2
        assert str(folder) in done.stderr and "Traceback" not in done.stderr
    assert [path.name for path in (tmp_path / "home").iterdir()] == ["mine"]


def test_a_set_up_that_is_stopped_half_way_is_taken_away(tmp_path):
    folder = tmp_path / "home"
    process = subprocess.Popen(
        [*DEMO, str(folder), "--transcript", str(tmp_path / "t")], stdout=subprocess.PIPE, text=True, cwd=tmp_path
    )
    assert process.stdout is not None
    next(line for line in process.stdout if "ready https://" in line)
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)
    assert process.returncode == 1
    assert not folder.exists()
