"""GnuPG 2.2 and later as the keeper of a private key. It decrypts; the signature is verified here, not by gpg.

`gpg --unwrap --decrypt` takes the encryption off and leaves the signed message, so the operator's certificate need not
be imported into anybody's keyring, and no option of a gpg.conf can make a signature good. Message and plaintext go
through pipes only.
"""

import contextlib
import os
import re
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from keyfob.openpgp import algorithms, sequoia
from keyfob.openpgp import message as messages
from keyfob.openpgp.certificate import Certificate
from keyfob.openpgp.message import DamagedMessage, KeyLocked, NotForUs, UnsealError
from keyfob.patience import asking
from keyfob.problem import Problem
from keyfob.secret import Secret

_MAX_OUTPUT_BYTES = 1024 * 1024
_UNATTENDED_SECONDS = 10
_ATTENDED_SECONDS = 600
_STATUS = b"[GNUPG:] "
_FINGERPRINT = re.compile(r"[0-9A-F]{40}")

# libgpg-error's codes, the low 16 bits of what the status line ERROR carries.
_LOCKED = {
    11: "the passphrase is wrong",
    31: "the pinentry failed",
    62: "nobody answered the question for its passphrase",
    85: "nobody is there to be asked for its passphrase",
    86: "the pinentry failed",
    99: "the question for its passphrase was cancelled",
    177: "nobody is there to be asked for its passphrase",
}


class GpgMissing(UnsealError):
    """There is no gpg to run."""

    def __init__(self, gpg: str) -> None:
        super().__init__(
            "gpg-missing",
            f"the program {gpg} is not installed",
            hint="install GnuPG, or name the private key's file with --private-key FILE.asc",
        )


@dataclass(frozen=True, slots=True)
class GpgUnsealer:
    """Opens with the keyring and the key daemon of the user's gpg, or of `homedir`.

    `attended`: somebody can answer a pinentry. Without that gpg never waits: a key that needs a passphrase which is
    not remembered raises KeyLocked at once.
    """

    gpg: str = "gpg"
    homedir: Path | None = None
    attended: bool = False

    def unseal(self, message: bytes, *, signer: Certificate) -> Secret:
        signed = self._decrypt(message)
        try:
            opened = sequoia.verify(signed.reveal_bytes(), signer=signer.armored)
        except sequoia.SignatureRefused as refused:
            raise messages.why_refused(refused, signer) from None
        except sequoia.Refused as refused:
            raise DamagedMessage(str(refused)) from None
        return messages.check_signed(opened, signer)

    def unseal_unverified(self, message: bytes) -> Secret:
        signed = self._decrypt(message)
        try:
            return messages.find_literal(sequoia.read_packets(signed.reveal_bytes()))
        except sequoia.Refused as refused:
            raise DamagedMessage(str(refused)) from None

    def holds(self, fingerprint: str) -> bool:
        if not _FINGERPRINT.fullmatch(fingerprint):
            return False
        done = self._run(["--with-colons", "--list-secret-keys", fingerprint])
        lines = [line.split(b":") for line in done.stdout.splitlines()]
        primary = next((line for line in lines if line[0] == b"fpr"), None)
        return done.returncode == 0 and primary is not None and primary[9].decode("ascii", "replace") == fingerprint

    def clearsign(self, text: bytes, *, fingerprint: str) -> bytes:
        if not _FINGERPRINT.fullmatch(fingerprint):
            raise NotForUs((fingerprint[-16:],))
        options = ["--status-fd", "2", "--digest-algo", "SHA512", "--local-user", fingerprint, "--clearsign"]
        done = self._run(options, content=text)
        if done.returncode != 0:
            raise _why_not_signed(_read_status(done.stderr))
        return done.stdout

    def export(self, fingerprint: str) -> bytes | None:
        """The certificate with this fingerprint, armored, or None when the keyring has none."""
        if not _FINGERPRINT.fullmatch(fingerprint):
            return None
        done = self._run(["--armor", "--export-options", "export-minimal", "--export", fingerprint])
        return done.stdout or None

    def _decrypt(self, message: bytes) -> Secret:
        """The signed message inside, its integrity checked by gpg (RFC 9580 §5.13)."""
        wanted = messages.recipients(message)
        options = ["--status-fd", "2", "--max-output", str(_MAX_OUTPUT_BYTES), "--unwrap", "--decrypt"]
        done = self._run(options, content=message)
        status = _read_status(done.stderr)
        # A gpg.conf may turn errors of integrity into warnings: what counts is that gpg says it was good.
        if done.returncode == 0 and {"DECRYPTION_OKAY", "GOODMDC"} <= {line[0] for line in status}:
            return Secret(done.stdout)
        if not self._has_one_of(wanted):
            raise NotForUs(wanted)
        raise _why_not(status)

    def _has_one_of(self, key_ids: tuple[str, ...]) -> bool:
        """Whether a private key with one of these ids is here. A hidden recipient (RFC 9580 §5.1.8) may be anybody."""
        if algorithms.HIDDEN in key_ids:
            return True
        done = (self._run(["--with-colons", "--list-secret-keys", f"0x{key_id}"]) for key_id in key_ids)
        return any(listed.returncode == 0 for listed in done)

    def _run(self, options: Sequence[str], *, content: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
        # No --quiet: with it gpg leaves out the status line that tells a locked key from a missing one.
        command = [self.gpg, "--batch", "--no-tty", "--no-auto-key-retrieve"]
        if self.homedir is not None:
            command += ["--homedir", str(self.homedir)]
        if not self.attended:
            command += ["--pinentry-mode", "error"]
        seconds = _ATTENDED_SECONDS if self.attended else _UNATTENDED_SECONDS
        try:
            # A pinentry may draw on the terminal.
            with asking() if self.attended else contextlib.nullcontext():
                return subprocess.run(  # noqa: S603  # a list, no shell; the fingerprints in it are checked
                    [*command, *options],
                    input=content,
                    capture_output=True,
                    timeout=seconds,
                    check=False,
                    env=_environment(attended=self.attended),
                )
        except FileNotFoundError:
            raise GpgMissing(self.gpg) from None
        except subprocess.TimeoutExpired:
            raise UnsealError(
                "gpg-timeout", f"gpg did not answer within {seconds} seconds", hint="run gpg --decrypt FILE to see why"
            ) from None
        except OSError as failed:
            raise Problem("gpg-failed", f"{self.gpg} cannot be run: {failed.strerror}") from failed


def gpg_export(fingerprint: str, *, gpg: str = "gpg", homedir: Path | None = None) -> bytes | None:
    """The certificate with this fingerprint from the keyring, or None: no such key there, or no gpg here."""
    try:
        return GpgUnsealer(gpg, homedir).export(fingerprint)
    except GpgMissing:
        return None


def _environment(*, attended: bool) -> dict[str, str]:
    """The user's, and for a pinentry the terminal that gpg cannot see through its pipes."""
    environment = dict(os.environ)
    if attended and "GPG_TTY" not in environment:
        for descriptor in (0, 1, 2):
            with contextlib.suppress(OSError, AttributeError):  # no terminal there; no ttyname on Windows
                environment["GPG_TTY"] = os.ttyname(descriptor)
                break
    return environment


def _read_status(output: bytes) -> list[list[str]]:
    lines = [line for line in output.splitlines() if line.startswith(_STATUS)]
    return [fields for line in lines if (fields := line.removeprefix(_STATUS).decode("utf-8", "replace").split())]


def _why_not_signed(status: list[list[str]]) -> UnsealError:
    for fields in status:
        if fields[0] == "FAILURE" and len(fields) > 2 and fields[2].isdecimal() and int(fields[2]) & 0xFFFF in _LOCKED:
            return KeyLocked(_LOCKED[int(fields[2]) & 0xFFFF], hint="unlock it first, or sign at a terminal")
    return UnsealError("gpg-cannot-sign", "gpg did not sign with this key", hint="run gpg --clearsign to see why")


def _why_not(status: list[list[str]]) -> UnsealError:
    for fields in status:
        if fields[0] == "ERROR" and len(fields) > 2 and fields[2].isdecimal() and int(fields[2]) & 0xFFFF in _LOCKED:
            return KeyLocked(
                _LOCKED[int(fields[2]) & 0xFFFF],
                hint="unlock it first (gpg --decrypt FILE at a terminal), or keep the credential with --key file",
            )
    if "ENC_TO" not in {fields[0] for fields in status}:
        return UnsealError(
            "gpg-cannot-read",
            "gpg cannot read this message: it is damaged, or in the form of RFC 9580 that the certificate asks for",
            hint="ask the operator to send it anew; or name the private key's file with --private-key FILE.asc",
        )
    return DamagedMessage("gpg could not decrypt it")
