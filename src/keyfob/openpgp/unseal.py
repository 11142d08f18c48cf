"""Opening a sealed message: with a private key file, or by gpg where the private key lives in its keyring.

Each way verifies the operator's signature itself, against the one certificate given, and trusts no keyring in that.
"""

from dataclasses import dataclass, field
from typing import Protocol

from keyfob.openpgp import keys, sequoia
from keyfob.openpgp import message as messages
from keyfob.openpgp.certificate import Certificate
from keyfob.openpgp.gpg import GpgUnsealer, gpg_export
from keyfob.openpgp.message import (
    DamagedMessage,
    KeyLocked,
    MessageTooLarge,
    NotForUs,
    UnsealError,
    Unsigned,
    WrongSigner,
    recipients,
)
from keyfob.secret import Secret

__all__ = [
    "Unsealer", "PrivateKeyUnsealer", "GpgUnsealer", "gpg_export", "recipients",
    "UnsealError", "NotForUs", "Unsigned", "WrongSigner", "DamagedMessage", "MessageTooLarge", "KeyLocked",
]  # fmt: skip


class Unsealer(Protocol):
    """Where a private key is, and how it is used."""

    def unseal(self, message: bytes, *, signer: Certificate) -> Secret:
        """The plaintext, its signature by `signer` verified. Raises UnsealError."""
        ...

    def unseal_unverified(self, message: bytes) -> Secret:
        """The plaintext, whoever wrote it: good for nothing but finding the certificate that verifies it."""
        ...

    def holds(self, fingerprint: str) -> bool:
        """Whether the private key of the certificate `fingerprint` is the one that opens messages here."""
        ...

    def clearsign(self, text: bytes, *, fingerprint: str) -> bytes:
        """`text` signed in clear (RFC 9580 §7) by the certificate `fingerprint`. Raises UnsealError."""
        ...


@dataclass(frozen=True, slots=True)
class PrivateKeyUnsealer:
    """Opens with a private key in memory, armored or not, under `passphrase` where it has one."""

    private_key: Secret = field(repr=False)
    passphrase: Secret | None = field(default=None, repr=False)

    def unseal(self, message: bytes, *, signer: Certificate) -> Secret:
        return messages.check_signed(self._open(message, signer=signer), signer)

    def unseal_unverified(self, message: bytes) -> Secret:
        return self._open(message, signer=None).plaintext

    def holds(self, fingerprint: str) -> bool:
        return keys.certificate_of(self.private_key).fingerprint == fingerprint

    def clearsign(self, text: bytes, *, fingerprint: str) -> bytes:
        if not self.holds(fingerprint):
            raise NotForUs((fingerprint[-16:],))
        try:
            return sequoia.clearsign(text, private_key=self.private_key, passphrase=self.passphrase)
        except sequoia.Refused as refused:
            raise self._locked(str(refused)) from None

    def _open(self, message: bytes, *, signer: Certificate | None) -> sequoia.Opened:
        wanted = recipients(message)
        own = keys.certificate_of(self.private_key)
        try:
            sequoia.unlock(self.private_key, self.passphrase)
        except sequoia.Refused as refused:
            raise self._locked(str(refused)) from None
        try:
            return sequoia.decrypt(
                message,
                private_key=self.private_key,
                passphrase=self.passphrase,
                signer=None if signer is None else signer.armored,
            )
        except sequoia.SignatureRefused as refused:
            assert signer is not None
            raise messages.why_refused(refused, signer) from None
        except sequoia.Refused as refused:
            key_ids = {packet.fingerprint[-16:] for packet in sequoia.read_packets(own.armored) if packet.fingerprint}
            if key_ids.isdisjoint(wanted):
                raise NotForUs(wanted) from None
            raise DamagedMessage(str(refused)) from None

    def _locked(self, why: str) -> KeyLocked:
        if self.passphrase is None:
            return KeyLocked(why, hint="give its passphrase, or let gpg open the message")
        return KeyLocked("the passphrase is wrong, or the key cannot decrypt", hint="try the passphrase again")
