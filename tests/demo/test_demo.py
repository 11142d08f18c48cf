"""The demonstration is a test of the whole: it passes as it is, and fails when any of its three safeguards is gone."""

import contextlib
import os
import re
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
