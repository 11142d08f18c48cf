"""`make run`: the same set-up, left running until the user stops it."""

import json
import signal
import subprocess
import sys


def test_the_servers_are_left_running_with_three_commands_to_try(tmp_path):
    folder = tmp_path / "home"
    process = subprocess.Popen(
        [sys.executable, "-m", "keyfob.demo", "--keep-running", str(folder), "--transcript", str(tmp_path / "t")],
        stdout=subprocess.PIPE,
        text=True,
        cwd=tmp_path,
    )
    try:
        assert process.stdout is not None
        shown = []
        for line in process.stdout:
            shown.append(line.strip())
            if line.startswith("  keyfob-server audit tail"):
                break
        else:
            raise AssertionError("".join(shown))
        setting, call, *others = shown[-4:]
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
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
    again = subprocess.run(
        [sys.executable, "-m", "keyfob.demo", "--keep-running", str(folder), "--transcript", str(tmp_path / "t")],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert again.returncode == 1
    assert "is there already" in again.stderr
