"""A keyring of the operating system for the tests: gnome-keyring, unlocked, on a bus and in folders of its own."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def keyring_server() -> Iterator[dict[str, str]]:
    """The variables of a session in which the keyring is open."""
    if not shutil.which("gnome-keyring-daemon") or not shutil.which("dbus-daemon"):
        pytest.skip("no gnome-keyring here")
    folder = Path(tempfile.mkdtemp(prefix="kr-"))  # short: sockets lie in it
    environ = {"HOME": str(folder), "XDG_RUNTIME_DIR": str(folder), "XDG_DATA_HOME": str(folder)}
    usual = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
    bus = subprocess.Popen(
        ["dbus-daemon", "--session", "--nofork", "--print-address=1"],
        env=usual | environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert bus.stdout is not None
    environ["DBUS_SESSION_BUS_ADDRESS"] = bus.stdout.readline().strip()
    keyring = subprocess.Popen(
        ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
        env=usual | environ,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert keyring.stdin is not None and keyring.stdout is not None
    keyring.stdin.write(b"only-for-tests")
    keyring.stdin.close()
    keyring.stdout.readline()  # it is there once it says where
    yield environ
    for process in (keyring, bus):
        process.kill()
        process.wait()
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def os_keyring(keyring_server: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    import keyring
    from keyring.backends import SecretService

    monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", keyring_server["DBUS_SESSION_BUS_ADDRESS"])
    before = keyring.get_keyring()
    keyring.set_keyring(SecretService.Keyring())
    yield keyring_server
    keyring.set_keyring(before)
