"""What can be tried of Windows without one: Python as it is there, without what only POSIX has.

Not tried: its access lists, which no code here reads, its locks (`msvcrt`), and its gpg.
"""

import json
import os
import subprocess
import sys

import pytest

# What others have imported goes by the system that there is; ours is imported after the change.
AS_ON_WINDOWS = """
import os, pathlib, socket, socketserver, sys, types
import asyncio, ctypes, getpass, gzip, http.client, importlib.metadata, json, logging, shutil, sqlite3, subprocess
import tarfile, tempfile, urllib.request, zipfile
import anyio._backends._asyncio, click.shell_completion, click.testing, cryptography.x509, httpcore2, httpx2, pysequoia

sys.modules.update(dict.fromkeys(("fcntl", "pwd", "grp", "resource", "termios")))
sys.modules["msvcrt"] = types.SimpleNamespace(LK_LOCK=1, LK_NBLCK=2, locking=lambda *_: None)
del socket.AF_UNIX, socketserver.UnixStreamServer
for name in ("getuid", "geteuid", "fchmod", "chown", "O_NONBLOCK", "ttyname", "execve", "fork"):
    delattr(os, name)
pathlib.WindowsPath = pathlib.PosixPath
os.name, sys.platform = "nt", "win32"

from keyfob import command
from keyfob.partner.cli import cli

def run(*arguments):
    import contextlib, io
    out = io.TextIOWrapper(io.BytesIO())
    with contextlib.redirect_stdout(out), contextlib.suppress(SystemExit):
        command.run(cli, "keyfob", [*arguments, "--json"])
    out.seek(0)
    return json.loads(out.read())
"""


@pytest.fixture
def windows(handoff, service, tmp_path):
    """Runs commands of keyfob in one such process; gives what each of them said."""
    message, operator = tmp_path / "message.asc", tmp_path / "operator.asc"
    message.write_bytes(handoff.message())
    operator.write_bytes(handoff.operator.armored)
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.pathsep.join(sys.path),
        "KEYFOB_CA_FILE": str(service.ca),
        "LOCALAPPDATA": str(tmp_path / "local"),
        "USERNAME": "partner",
        "HOME": str(tmp_path),
    }
    receive = (
        *("receive", str(message), "--operator-certificate", str(operator), "--no-acknowledge", "--key", "file"),
        *("--operator-fingerprint", handoff.operator.fingerprint, "--private-key", str(handoff.private_key)),
    )

    def run(*commands: tuple[str, ...], **more: str) -> list[dict[str, object]]:
        script = f"{AS_ON_WINDOWS}\nprint(json.dumps([run(*one) for one in {[receive, *commands]!r}]))"
        done = subprocess.run(
            [sys.executable, "-c", script], env=environment | more, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    return run


def test_a_credential_is_received_kept_and_used_in_the_users_own_data_folder(windows, service, tmp_path):
    everything = windows(
        ("call", "GET", f"{service.url}/api/v1/studies"),
        ("status",),
        ("vault", "rotate-key"),
        ("token", "--scope", "studies:read"),
    )
    received, called, status, rotated, again = everything
    assert "stored" in received, everything
    assert received["stored"].startswith(str(tmp_path / "local" / "keyfob"))
    assert called["status"] == 200
    assert status["clients"][0]["credentials"][0]["key"] == "file"
    assert rotated["credentials"][0]["key_version"] == 2
    assert again["access_token"].startswith("token-")


def test_what_windows_has_not_is_said_and_not_guessed(windows, service, tmp_path):
    _, asked, doctor, scan = windows(
        ("token", "--scope", "studies:read"),
        ("doctor", "--offline", "--only", "permissions"),
        ("scan", str(tmp_path / "local")),
        KEYFOB_BROKER=str(tmp_path / "b.sock"),
    )
    assert asked["error"] == "no-peer-credentials"
    assert "there is no broker here" in asked["message"]
    (permissions,) = doctor["checks"]
    assert permissions["status"] == "unknown"
    assert "icacls" in permissions["mend"]
    assert scan["findings"] == []
