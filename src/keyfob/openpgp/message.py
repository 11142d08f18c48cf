"""What a sealed message must look like, and what is wrong when it does not: checks that every way to open it shares."""

from keyfob.openpgp import algorithms, sequoia
from keyfob.openpgp.certificate import Certificate, show_fingerprint
from keyfob.openpgp.sequoia import Kind, Opened, Packet
from keyfob.problem import Problem
from keyfob.secret import Secret

MAX_BYTES = 128 * 1024

_ASK_ANEW = "ask the operator to send it anew; nothing was stored"


class UnsealError(Problem):
    """A message that was not opened, or not believed. Never quotes what is inside."""


class NotForUs(UnsealError):
    """It is encrypted to keys that are not here."""

    def __init__(self, key_ids: tuple[str, ...]) -> None:
        super().__init__(
            "not-for-us",
            f"the message is encrypted to a key that is not here: {', '.join(key_ids)}",
            hint="open it where that private key is, or name the key with --private-key FILE.asc",
        )


class Unsigned(UnsealError):
    """It opens, but nobody signed it."""

    def __init__(self) -> None:
        super().__init__(
            "unsigned",
            "the message carries no signature: anybody could have written it",
            hint="do not use it; tell the operator by another way",
        )


class WrongSigner(UnsealError):
    """It opens, but somebody else than the pinned signer signed it."""

    def __init__(self, expected: str) -> None:
        super().__init__(
            "wrong-signer",
            f"the message is not signed by {show_fingerprint(expected)}",
            hint="do not use it; ask the operator by another way for the fingerprint that holds now",
        )


class DamagedMessage(UnsealError):
    """It is no whole encrypted message, or it was changed on its way."""

    def __init__(self, why: str) -> None:
        super().__init__("damaged-message", f"the message is damaged: {why}", hint=_ASK_ANEW)


class MessageTooLarge(UnsealError):
    """Larger than any sealed credential."""

    def __init__(self) -> None:
        super().__init__(
            "message-too-large", f"the message is larger than {MAX_BYTES} bytes", hint="name the message's file"
        )


class KeyLocked(UnsealError):
    """The private key is here, but its passphrase is not."""

    def __init__(self, why: str, *, hint: str) -> None:
        super().__init__("key-locked", f"the private key cannot be used: {why}", hint=hint)


def recipients(message: bytes) -> tuple[str, ...]:
    """The key ids that `message` is encrypted to, 16 hexadecimal capitals each. Raises UnsealError.

    Only what is encrypted and protected against changes passes (RFC 9580 §5.13): a signed message in clear would
    verify as well, but its secret would be known to all.
    """
    if len(message) > MAX_BYTES:
        raise MessageTooLarge
    try:
        packets = sequoia.read_packets(message)
    except sequoia.Refused as refused:
        raise DamagedMessage(f"no OpenPGP message ({refused})") from None
    kinds = [packet.kind for packet in packets]
    if Kind.SECRET_KEY in kinds:
        raise UnsealError("private-key", "the file holds a private key, not a message", hint="name the message's file")
    session_keys = kinds[:-1]
    if kinds[-1:] != [Kind.SEIP] or not session_keys or set(session_keys) - {Kind.PKESK}:
        raise DamagedMessage("it is not encrypted to a certificate alone, as sealed messages are")
    return algorithms.recipients(packets)


def check_signed(opened: Opened, signer: Certificate) -> Secret:
    """The plaintext, when `signer` and nobody else signed it."""
    if set(opened.signers) != {signer.fingerprint}:
        raise WrongSigner(signer.fingerprint)
    return opened.plaintext


def why_refused(refused: sequoia.SignatureRefused, signer: Certificate) -> UnsealError:
    """Unsigned, signed by another, or signed by `signer` and changed since."""
    if not refused.issuers:
        return Unsigned()
    own = {packet.fingerprint for packet in sequoia.read_packets(signer.armored) if packet.fingerprint}
    if any(_same_key(issuer, fingerprint) for issuer in refused.issuers for fingerprint in own):
        return DamagedMessage("the signature does not hold")
    return WrongSigner(signer.fingerprint)


def find_literal(packets: tuple[Packet, ...]) -> Secret:
    """The content of an opened message. Raises DamagedMessage when there is not exactly one."""
    literals = [packet.literal for packet in packets if packet.literal is not None]
    if len(literals) != 1:
        raise DamagedMessage("it holds no plain content")
    return literals[0]


def _same_key(issuer: str, fingerprint: str) -> bool:
    """An issuer is named by its fingerprint or by its key id alone."""
    return bool(issuer) and fingerprint.endswith(issuer)
