"""The demonstration is a test of the whole: it passes as it is, and fails when any of its three safeguards is gone.

All in one file, which one process plays: its ports are those that a person remembers.
"""

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

NO_SEALING = """
import keyfob.openpgp.seal as sealing
sealing.seal = lambda plaintext, **_: plaintext.reveal_bytes()
"""
NO_SIGNATURE_CHECK = """
from keyfob.openpgp.gpg import GpgUnsealer
from keyfob.openpgp.unseal import PrivateKeyUnsealer
for kind in (GpgUnsealer, PrivateKeyUnsealer):
    kind.unseal = lambda self, message, *, signer: self.unseal_unverified(message)
"""
NO_TLS_VERIFICATION = """
import ssl
import keyfob.tls as tls
def anybody(ca_file, *, environ):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context
tls.client_context = anybody
"""


def play(folder: Path, sabotage: str = "") -> subprocess.CompletedProcess[str]:
    """The demonstration in its own process; `sabotage` runs at the start of each Python process in it."""
    environment = environment_of(folder)
    if sabotage:
        (folder / "sitecustomize.py").write_text(sabotage)
        environment["PYTHONPATH"] = str(folder)
    transcript = str(folder / "transcript.txt")
    return subprocess.run(
        [sys.executable, "-m", "keyfob.demo", "--transcript", transcript],
        capture_output=True,
        text=True,
        timeout=280,
        env=environment,
        cwd=folder,
    )


def left_running(folder: Path) -> list[str]:
    """What is still there of the run in `folder`, once what was told to end has had ten seconds to do so."""
    deadline = time.monotonic() + 10
    while (found := playing_now(folder)) and time.monotonic() < deadline:
        pass
    return found


def playing_now(folder: Path) -> list[str]:
    """Command lines of the processes that were started below `folder`'s run: others may play at the same time."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if marked(folder).encode() in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace"))
    return found


def marked(folder: Path) -> str:
    return f"DEMO_OF_TEST={folder}"


def environment_of(folder: Path) -> dict[str, str]:
    return {**os.environ, **dict([marked(folder).split("=", 1)])}


def test_the_demonstration_passes_and_leaves_nothing_running(tmp_path):
    done = play(tmp_path)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    transcript = (tmp_path / "transcript.txt").read_text()
    for shown in (
        "keyfob-server init",
        "ready https://",
        "-----BEGIN PGP MESSAGE-----",
        "values came back as they were sent",
        "insufficient_scope",
        "404 Not Found",
        "http:// is refused",
        "is not trusted",
        "whole: ",
    ):
        assert shown in transcript
    assert "kfs_" not in transcript
    # As it happened: the status of an answer stands before the answer.
    lines = [line.strip() for line in transcript.splitlines()]
    assert lines[lines.index("HTTP 200 OK") + 1].startswith('{"items"')
    assert left_running(tmp_path) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_ends_it_and_leaves_nothing(tmp_path, number):
    process = subprocess.Popen(
        [sys.executable, "-m", "keyfob.demo", "--transcript", str(tmp_path / "t")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
        env=environment_of(tmp_path),
        # Whoever runs the tests may ignore signals (nohup, a shell in the background), and children inherit that.
        preexec_fn=lambda: signal.signal(number, signal.SIG_DFL),
    )
    assert process.stdout is not None
    for line in process.stdout:
        if "fingerprint:" in line:  # both servers run, and gpg's agent
            break
    running = " ".join(playing_now(tmp_path))
    (folder,) = set(re.findall(r"/tmp/kf-\w+", running))
    process.send_signal(number)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 1
    assert stderr.strip() == "stopped before its end; nothing is left running"
    assert left_running(tmp_path) == []
    assert not Path(folder).exists()


def test_a_transcript_that_cannot_be_written_is_told_before_anything_is_played(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "keyfob.demo", "--transcript", str(tmp_path / "none" / "t")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert "--transcript" in done.stderr and "Traceback" not in done.stderr


@pytest.mark.parametrize("sabotage", [NO_SEALING, NO_SIGNATURE_CHECK, NO_TLS_VERIFICATION])
def test_the_demonstration_fails_without_a_safeguard(tmp_path, sabotage):
    done = play(tmp_path, sabotage)
    assert done.returncode == 1, done.stdout[-2000:]
    assert "the demonstration failed" in done.stderr
    assert left_running(tmp_path) == []


# `make run`: the same set-up, left running until the user stops it, and started again as it was.
DEMO = [sys.executable, "-m", "keyfob.demo", "--keep-running"]


def keep_running(folder: Path) -> "tuple[subprocess.Popen[str], list[str]]":
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


def test_the_servers_are_left_running_with_three_commands_to_try_and_start_again(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "home"
    seen = []
    for number in (signal.SIGINT, signal.SIGTERM):
        process, lines = keep_running(folder)
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


@pytest.mark.skipif(shutil.which("gpg") is None, reason="no gpg")
def test_a_folder_that_is_too_deep_for_gpg_is_refused_in_words(tmp_path):
    folder = tmp_path / ("deep" * 20)
    done = subprocess.run([*DEMO, str(folder)], capture_output=True, text=True, timeout=120, cwd=tmp_path)
    assert done.returncode != 0
    assert "too long for the sockets of gpg's agent" in done.stderr
    assert "name a shorter folder" in done.stderr


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
