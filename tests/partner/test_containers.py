"""As in a container: nothing of the file system can be written, the user is nobody in particular and has no home."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from keyfob.partner import opening

USER = 10001
SOURCE = Path(__file__).parents[2] / "src"
ENTRY = "from keyfob.partner.cli import main; main()"
# The programs come in by mounts of their own: the user need not be able to reach where they lie.
WORLD = """set -e
mount --bind "$SOURCE" "$PLACE/source"
mount --bind "$PACKAGES" "$PLACE/packages"
mount --bind "$PYTHON" "$PLACE/python"
for mounted in / /tmp /dev/shm; do
  ! mountpoint -q $mounted || mount -o remount,ro,bind $mounted 2>/dev/null || mount -o remount,ro $mounted
done
cd /
exec setpriv --reuid $USER_ID --regid $USER_ID --clear-groups --no-new-privs --inh-caps=-all \
  env -i "PYTHONPATH=$PLACE/source:$PLACE/packages" "PYTHONHOME=$PLACE/python" "LD_LIBRARY_PATH=$PLACE/python/lib" \
  HOME=/nowhere PATH=/usr/bin:/bin "$@"
"""


def is_possible() -> bool:
    tools = all(shutil.which(name) for name in ("unshare", "setpriv", "mountpoint"))
    return (
        tools
        and os.geteuid() == 0
        and subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode == 0
    )


pytestmark = pytest.mark.skipif(not is_possible(), reason="needs root, and a kernel that gives a mount namespace")


@dataclass
class Container:
    place: Path
    service: object

    def run(self, *command: str, **environ: str) -> subprocess.CompletedProcess[str]:
        given = {"SOURCE": str(SOURCE), "PACKAGES": sysconfig.get_path("purelib"), "PYTHON": sys.base_prefix}
        variables = [f"{name}={value}" for name, value in {"KEYFOB_CA_FILE": f"{self.place}/ca.pem", **environ}.items()]
        return subprocess.run(
            ["unshare", "--mount", "sh", "-c", WORLD, "sh", *variables, *command],
            env={"PATH": os.environ["PATH"], "USER_ID": str(USER), "PLACE": str(self.place), **given},
            capture_output=True,
            text=True,
            timeout=120,
        )

    def keyfob(self, *arguments: str, status: int = 0, **environ: str) -> subprocess.CompletedProcess[str]:
        python = Path(sys.executable).resolve().relative_to(Path(sys.base_prefix).resolve())
        done = self.run(f"{self.place}/python/{python}", "-c", ENTRY, *arguments, **environ)
        assert "Traceback" not in done.stderr, done.stderr
        assert done.returncode == status, f"{arguments}\n{done.stdout}\n{done.stderr}"
        return done


@pytest.fixture
def container(handoff, service):
    """A partner's credential, stored by an ordinary machine and given to the container's user."""
    handoff.receive(handoff.message())
    place = Path(tempfile.mkdtemp(prefix="kc-", dir="/tmp"))
    place.chmod(0o755)
    try:
        for name in ("source", "packages", "python"):
            (place / name).mkdir()
        shutil.copy(service.ca, place / "ca.pem")
        shutil.copytree(handoff.vault, place / "vault")
        shutil.copy(f"{handoff.vault}.key", place / "vault.key")
        (place / "ca.pem").chmod(0o644)
        for path in (place / "vault", *(place / "vault").rglob("*"), place / "vault.key"):
            os.chown(path, USER, USER)
        yield Container(place, service)
    finally:
        shutil.rmtree(place)


def test_nothing_can_be_written_here_and_the_user_is_nobody_in_particular(container):
    """What the other tests rest on."""
    places = f"{container.place}/x {container.place}/vault/x /tmp/x /var/tmp/x"
    done = container.run("sh", "-c", f"id -u; for at in {places}; do touch $at 2>&1; done")
    assert done.stdout.count("Read-only file system") == 4, done.stdout
    assert done.stdout.startswith(f"{USER}\n")


def test_a_program_gets_tokens_and_data_from_what_is_mounted(container, service):
    at = {"KEYFOB_VAULT": f"{container.place}/vault", "KEYFOB_KEY_FILE": f"{container.place}/vault.key"}
    api = f"{service.url}/api"
    assert json.loads(container.keyfob("call", "GET", f"{api}/v1/studies", **at).stdout) == {"items": []}
    done = container.keyfob("run", "--scope", "studies:read", "--", "printenv", "KEYFOB_ACCESS_TOKEN", **at)
    assert done.stdout.startswith("token-")
    assert container.keyfob("token", "--scope", "studies:read", **at).stdout.startswith("token-")
    shown = json.loads(container.keyfob("status", "--json", **at).stdout)
    assert shown["clients"][0]["client_id"] == "cl_1"
    assert json.loads(container.keyfob("scan", f"{container.place}/vault", "--json", **at).stdout)["findings"] == []
    chosen = [word for name in ("vault", "key", "permissions", "dotfiles") for word in ("--only", name)]
    checks = json.loads(container.keyfob("doctor", "--offline", *chosen, "--json", **at).stdout)["checks"]
    assert {one["name"]: one["status"] for one in checks}["permissions"] == "pass", checks


def test_an_exported_vault_in_a_mounted_file_or_a_variable_works_alike(container, handoff, service):
    exported = handoff.folder / "vault.json"
    subprocess.run(
        [sys.executable, "-c", ENTRY, "vault", "export", "--as-stored", "--out", exported, "--vault", handoff.vault],
        check=True,
        capture_output=True,
    )
    key = {"KEYFOB_KEY_FILE": f"{container.place}/vault.key"}
    mounted = container.place / "vault.json"
    shutil.copy(exported, mounted)
    os.chown(mounted, 0, USER)
    mounted.chmod(0o440)
    for vault in ({"KEYFOB_VAULT": f"file:{mounted}"}, {"KEYFOB_VAULT": "env:HELD", "HELD": exported.read_text()}):
        done = container.keyfob("call", "GET", f"{service.url}/api/v1/studies", **vault, **key)
        assert json.loads(done.stdout) == {"items": []}
        assert "cannot be stored" in done.stderr


def test_a_vault_in_a_database_file_is_read_there_too(container, handoff, service):
    named = f"sqlite:{container.place}/vault.db"
    opening.receive_file(
        handoff.message(),
        vault=named,
        keeping=opening.Keeping.FILE,
        private_key=handoff.private_key,
        key_file=Path(f"{handoff.vault}.key"),
        ca=service.ca,
        certificate=handoff.operator.armored,
        fingerprint=handoff.operator.fingerprint,
        confirm=lambda _: False,
        acknowledging=False,
    )
    for path in container.place.glob("vault.db*"):
        os.chown(path, USER, USER)
    at = {"KEYFOB_VAULT": named, "KEYFOB_KEY_FILE": f"{container.place}/vault.key"}
    assert container.keyfob("token", "--scope", "studies:read", **at).stdout.startswith("token-")
    told = json.loads(container.keyfob("rotate", "--json", status=1, **at).stdout)
    assert "ead-only file system" in told["message"], told


def test_what_must_write_says_that_it_cannot(container, handoff):
    at = {"KEYFOB_VAULT": f"{container.place}/vault", "KEYFOB_KEY_FILE": f"{container.place}/vault.key"}
    for arguments in (("rotate",), ("vault", "rotate-key"), ("vault", "forget", "cl_1", "--yes")):
        done = container.keyfob(*arguments, "--json", status=1, **at)
        told = json.loads(done.stdout)
        assert "ead-only file system" in told["message"] and told["hint"], told
