"""The partner's OpenPGP key: by the real gpg, as partners make it, or by the library where gpg is not installed."""

import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from keyfob.ambient import system_clock
from keyfob.demo.stage import Stage
from keyfob.openpgp import certificate as certificates
from keyfob.openpgp import keys
from keyfob.problem import Misuse

USER_ID = "Example CRO <data@cro.example>"
_MONTH = 30 * 24 * 3600
_LONGEST = 87
"""Bytes of its folder: a socket's path has at most 107, and `/S.gpg-agent.browser` 20 of them."""


@dataclass(frozen=True, slots=True)
class PartnerKey:
    """`options` is what `keyfob receive` and `call` need besides to open a message (nothing with gpg)."""

    certificate: Path
    fingerprint: str
    options: tuple[str, ...]


def make(stage: Stage) -> PartnerKey:
    """RSA 4096 with an encryption subkey, expiring in one month; `partner.asc` is the certificate."""
    path = stage.folder / "partner.asc"
    if shutil.which("gpg") is None:
        private_key, certificate = keys.generate_partner_key(USER_ID, _MONTH)
        path.write_bytes(certificate.armored)
        key_file = stage.folder / "partner-private.asc"
        key_file.touch(mode=0o600)
        key_file.write_bytes(private_key.reveal_bytes())
        stage.show("(gpg is not installed: the key was made by Keyfob's OpenPGP library)")
        return PartnerKey(path, certificate.fingerprint, ("--private-key", key_file.name))
    home = stage.folder / "gnupg"
    if len(str(home).encode()) > _LONGEST:
        raise Misuse("long-path", f"{home} is too long for the sockets of gpg's agent", hint="name a shorter folder")
    home.mkdir(mode=0o700, exist_ok=True)
    stage.environment["GNUPGHOME"] = str(home)
    # A person leaves --batch and --passphrase out, and is asked for a passphrase.
    batch = ("gpg", "--batch", "--quiet", "--pinentry-mode", "loopback", "--passphrase", "")
    stage.run("partner", *batch, "--quick-generate-key", USER_ID, "rsa4096", "cert,sign", "1m")
    listed = stage.run("partner", "gpg", "--batch", "--with-colons", "--list-keys", quiet=True).stdout
    fingerprint = next(line.split(":")[9] for line in listed.splitlines() if line.startswith("fpr:"))
    stage.run("partner", *batch, "--quick-add-key", fingerprint, "rsa4096", "encr", "1m")
    stage.run("partner", "gpg", "--armor", "--output", path.name, "--export", fingerprint)
    return PartnerKey(path, certificates.check(path.read_bytes(), now=system_clock()).fingerprint, ())


def stop_agent(stage: Stage) -> None:
    """gpg leaves an agent running; the demonstration leaves nothing."""
    if "GNUPGHOME" in stage.environment:
        subprocess.run(  # a fixed command
            ["gpgconf", "--kill", "all"],  # noqa: S607  # the gpg that was found on the PATH
            env=stage.environment,
            check=False,
            capture_output=True,
        )
