"""The demonstration is a test of the whole: it passes as it is, and fails when any of its three safeguards is gone."""

import os
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
    environment = dict(os.environ)
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


def left_running() -> list[str]:
    """What still plays in a folder of the demonstration, once what was told to end has had ten seconds to do so."""
    deadline = time.monotonic() + 10
    while (found := playing_now()) and time.monotonic() < deadline:
        pass
    return found


def playing_now() -> list[str]:
    """Command lines of processes in a folder of the demonstration."""
    found = []
    for process in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = process.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if "/tmp/kf-" in line:
            found.append(line)
    return found


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
    assert left_running() == []


@pytest.mark.parametrize("sabotage", [NO_SEALING, NO_SIGNATURE_CHECK, NO_TLS_VERIFICATION])
def test_the_demonstration_fails_without_a_safeguard(tmp_path, sabotage):
    done = play(tmp_path, sabotage)
    assert done.returncode == 1, done.stdout[-2000:]
    assert "the demonstration failed" in done.stderr
    assert left_running() == []
