"""Keys as people make them: by the real gpg where it is installed, each kind once for all tests."""

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from keyfob.openpgp import keys
from keyfob.openpgp.certificate import Certificate
from keyfob.secret import Secret


@dataclass(frozen=True)
class Gpg:
    """A keyring of its own. Its path is short, because the path of a socket may have 107 characters only."""

    homedir: Path

    def run(
        self, *options: str, content: bytes = b"", passphrase: str | None = "", fails: bool = False
    ) -> "subprocess.CompletedProcess[bytes]":
        command = ["gpg", "--batch", "--no-tty", "--homedir", str(self.homedir)]
        if passphrase is not None:
            command += ["--pinentry-mode", "loopback", "--passphrase", passphrase]
        done = subprocess.run([*command, *options], input=content, capture_output=True, timeout=120)
        assert fails or done.returncode == 0, done.stderr.decode("utf-8", "replace")
        return done

    def new_key(
        self, user_id: str, *options: str, algorithm: str = "ed25519", encryption: str | None = "cv25519",
        lifetime: str = "1m", passphrase: str = "",
    ) -> str:  # fmt: skip
        """The fingerprint of a new key, made as a partner makes it: a primary that signs, then a subkey."""
        self.run(*options, "--quick-generate-key", user_id, algorithm, "sign", lifetime, passphrase=passphrase)
        fingerprint = self.fingerprint(user_id)
        if encryption is not None:
            self.run(*options, "--quick-add-key", fingerprint, encryption, "encr", lifetime, passphrase=passphrase)
        return fingerprint

    def fingerprint(self, user_id: str) -> str:
        lines = self.run("--with-colons", "--list-keys", f"={user_id}").stdout.decode().splitlines()
        return next(line.split(":")[9] for line in lines if line.startswith("fpr"))

    def export(self, fingerprint: str) -> bytes:
        return self.run("--armor", "--export", fingerprint).stdout

    def export_private(self, fingerprint: str, *, passphrase: str = "") -> bytes:
        return self.run("--armor", "--export-secret-keys", fingerprint, passphrase=passphrase).stdout


@pytest.fixture(scope="session")
def gpg() -> Iterator[Gpg]:
    if shutil.which("gpg") is None:
        pytest.skip("gpg is not installed")
    homedir = Path(tempfile.mkdtemp(prefix="kf-", dir="/tmp"))
    try:
        yield Gpg(homedir)
    finally:
        subprocess.run(["gpgconf", "--homedir", str(homedir), "--kill", "all"], check=False, timeout=30)
        shutil.rmtree(homedir, ignore_errors=True)


@pytest.fixture(scope="session")
def partner(gpg: Gpg) -> str:
    """The fingerprint of a usable key in the keyring."""
    return gpg.new_key("Partner <partner@example.org>")


@pytest.fixture(scope="session")
def rsa_partner(gpg: Gpg) -> str:
    """The usual key of a partner: RSA 4096 with an encryption subkey, for one month."""
    return gpg.new_key("RSA <rsa@example.org>", algorithm="rsa4096", encryption="rsa4096")


@pytest.fixture(scope="session")
def operator() -> tuple[Secret, Certificate]:
    return keys.generate_operator_key("Keyfob operator of https://localhost:8443")


@pytest.fixture(scope="session")
def recipient() -> tuple[Secret, Certificate]:
    """A partner's key that lies in a file: Ed25519, because RSA would take seconds."""
    return keys.generate_operator_key("Partner with a file")
