"""The one door to the OpenPGP library, whose API is not stable: typed values in and out, and short errors.

Nothing here decides anything: the library encrypts to expired and to revoked keys without a word, so what may be used
is decided in certificate.py.
"""

import datetime
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import TypeVar

import pysequoia
from pysequoia import packet as library_packets

from keyfob.secret import Secret

_T = TypeVar("_T")


class Refused(Exception):
    """What the library said, in one line."""


class Kind(Enum):
    """The packets that matter here (RFC 9580 §5)."""

    PUBLIC_KEY = auto()
    PUBLIC_SUBKEY = auto()
    SECRET_KEY = auto()
    USER_ID = auto()
    SIGNATURE = auto()
    PKESK = auto()
    SKESK = auto()
    SEIP = auto()
    LITERAL = auto()
    OTHER = auto()


@dataclass(frozen=True, slots=True)
class Packet:
    """A packet as it was read, no signature verified. `body` is without tag and length."""

    kind: Kind
    body: bytes = field(repr=False)
    fingerprint: str = ""  # of a key, hexadecimal capitals
    created_at: int = 0  # of a key or a signature
    signature: "Signature | None" = None
    literal: Secret | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Signature:
    """What an unverified signature packet claims. `lifetime`: of the key that it is about; None is for ever."""

    type: str
    hash_algorithm: str
    issuer_fingerprint: str
    can_encrypt: bool
    lifetime: int | None


@dataclass(frozen=True, slots=True)
class Parsed:
    """A certificate that the library could read. `armored` holds it alone, in ASCII, without comments."""

    armored: bytes
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A plaintext and the certificates (primary fingerprints) by which its signatures were found good."""

    plaintext: Secret
    signers: tuple[str, ...]


class SignatureRefused(Refused):
    """It was opened, but no signature by the wanted signer holds. `issuers`: the keys that claim to have signed."""

    def __init__(self, issuers: tuple[str, ...]) -> None:
        super().__init__("no valid signature")
        self.issuers = issuers


_KINDS = {
    "PublicKey": Kind.PUBLIC_KEY,
    "PublicSubkey": Kind.PUBLIC_SUBKEY,
    "SecretKey": Kind.SECRET_KEY,
    "SecretSubkey": Kind.SECRET_KEY,
    "UserID": Kind.USER_ID,
    "Signature": Kind.SIGNATURE,
    "PKESK": Kind.PKESK,
    "SKESK": Kind.SKESK,
    "SEIP": Kind.SEIP,
    "Literal": Kind.LITERAL,
}


def read_packets(content: bytes) -> tuple[Packet, ...]:
    """The packets in `content`, armored or not. Raises Refused."""
    return _call(lambda: tuple(_packet(packet) for packet in library_packets.PacketPile.from_bytes(content)))


def read_certificates(content: bytes) -> tuple[Parsed, ...]:
    """All certificates in `content`, armored or not. Raises Refused."""
    return _call(lambda: tuple(_parsed(certificate) for certificate in pysequoia.Cert.split_bytes(content)))


def user_ids(certificate: bytes) -> tuple[str, ...]:
    """The user ids that its own key vouches for and has not revoked. Raises Refused."""
    return _call(lambda: tuple(str(user_id) for user_id in pysequoia.Cert.from_bytes(certificate).user_ids))


def is_revoked(certificate: bytes) -> bool:
    """Whether a good revocation by its own key is in the certificate. Raises Refused."""
    return bool(_call(lambda: pysequoia.Cert.from_bytes(certificate).is_revoked))


def expires_at(certificate: bytes) -> int | None:
    """When the primary key expires, by its newest good self-signature; None: never. Raises Refused for none."""
    expiration = _call(lambda: pysequoia.Cert.from_bytes(certificate).expiration)
    return None if expiration is None else int(expiration.timestamp())


def generate(user_id: str, *, lifetime: int | None = None, rsa: bool = False) -> tuple[Secret, Parsed]:
    """A private key without a passphrase and its certificate: RSA 4096, or Ed25519 with Cv25519."""
    suite = pysequoia.CipherSuite.RSA4k if rsa else pysequoia.CipherSuite.Cv25519
    key = _call(
        lambda: pysequoia.Tsk.generate(
            user_id=user_id, profile=pysequoia.Profile.RFC4880, cipher_suite=suite, validity_seconds=lifetime
        )
    )
    return Secret(pysequoia.armor(bytes(key), pysequoia.ArmorKind.SecretKey)), _parsed(key.extract_certificate())


def certificate_of(private_key: Secret) -> Parsed:
    """The public half. Raises Refused when it is no private key."""
    return _parsed(_call(lambda: pysequoia.Tsk.from_bytes(private_key.reveal_bytes()).extract_certificate()))


def encrypt(plaintext: Secret, *, recipient: bytes, signing_key: Secret | None) -> bytes:
    """An armored message; signed inside the encryption when there is a key for it. Raises Refused."""

    def run() -> bytes:
        signer = None if signing_key is None else pysequoia.Tsk.from_bytes(signing_key.reveal_bytes()).signer()
        recipients = [pysequoia.Cert.from_bytes(recipient)]
        return bytes(pysequoia.encrypt(plaintext.reveal_bytes(), recipients=recipients, signer=signer))

    return _call(run)


def decrypt(message: bytes, *, private_key: Secret, passphrase: Secret | None, signer: bytes | None) -> Opened:
    """What `message` holds. Raises SignatureRefused unless a given `signer` signed it; Refused for all else."""

    def run(find_signers: "_Signers | None") -> Opened:
        key = pysequoia.Tsk.from_bytes(private_key.reveal_bytes())
        decryptor = key.decryptor(None if passphrase is None else passphrase.reveal())
        return _opened(pysequoia.decrypt(message, decryptor=decryptor, store=find_signers))

    return _verifying(run, signer) if signer is not None else _call(lambda: run(None))


def unlock(private_key: Secret, passphrase: Secret | None) -> None:
    """Raises Refused when `passphrase` does not open the private key, or it cannot decrypt."""
    password = None if passphrase is None else passphrase.reveal()
    _call(lambda: pysequoia.Tsk.from_bytes(private_key.reveal_bytes()).decryptor(password))


def clearsign(text: bytes, *, private_key: Secret, passphrase: Secret | None = None) -> bytes:
    """`text` signed in clear. Raises Refused when the key cannot sign, or `passphrase` does not open it."""

    def run() -> bytes:
        key = pysequoia.Tsk.from_bytes(private_key.reveal_bytes())
        signer = key.signer() if passphrase is None else key.signer(passphrase.reveal())
        return bytes(pysequoia.sign(signer, text, mode=pysequoia.SignatureMode.CLEAR))

    return _call(run)


def verify(signed: bytes, *, signer: bytes) -> Opened:
    """What a signed message holds. Raises SignatureRefused unless `signer` signed it; Refused when it is malformed."""
    return _verifying(lambda find_signers: _opened(pysequoia.verify(signed, store=find_signers)), signer)


class _Signers:
    """Answers the library's question for certificates, and remembers which keys it asked for."""

    def __init__(self, certificate: bytes) -> None:
        self._certificate = pysequoia.Cert.from_bytes(certificate)
        self.issuers: tuple[str, ...] = ()

    def __call__(self, issuers: list[str]) -> list[object]:
        self.issuers = tuple(issuer.upper() for issuer in issuers)
        return [self._certificate]


def _verifying(run: Callable[[_Signers], Opened], signer: bytes) -> Opened:
    find_signers = _call(lambda: _Signers(signer))
    try:
        return _call(lambda: run(find_signers))
    except Refused as refused:
        if str(refused).startswith("Signature verification failed"):
            raise SignatureRefused(find_signers.issuers) from None
        raise


def _call(run: Callable[[], _T]) -> _T:
    try:
        return run()
    except (RuntimeError, ValueError, TypeError, OverflowError, UnicodeError) as error:
        # With RUST_BACKTRACE the text goes on for pages after the first blank line. `from None`: nor in a traceback.
        reason = " ".join(str(error).split("\n\n", 1)[0].split())
        raise Refused(reason[:200]) from None


def _opened(decrypted: "pysequoia.Decrypted") -> Opened:
    signers = tuple(str(signature.certificate).upper() for signature in decrypted.valid_sigs)
    return Opened(Secret(decrypted.bytes or b""), signers)


def _parsed(certificate: "pysequoia.Cert") -> Parsed:
    armored = pysequoia.armor(bytes(certificate), pysequoia.ArmorKind.PublicKey).encode("ascii")
    return Parsed(armored, certificate.fingerprint.upper())


def _packet(packet: "library_packets.Packet") -> Packet:
    kind = _KINDS.get(_name(packet.tag), Kind.OTHER)
    if kind in (Kind.PUBLIC_KEY, Kind.PUBLIC_SUBKEY, Kind.SECRET_KEY):
        # The body of a private key would be the private key.
        body = b"" if kind is Kind.SECRET_KEY else bytes(packet.body)
        return Packet(
            kind, body, fingerprint=(packet.fingerprint or "").upper(), created_at=_seconds(packet.key_created)
        )
    if kind is Kind.SIGNATURE:
        made = _seconds(packet.signature_created)
        return Packet(kind, bytes(packet.body), created_at=made, signature=_signature(packet))
    if kind is Kind.LITERAL:
        return Packet(kind, b"", literal=Secret(packet.literal_data or b""))
    return Packet(kind, bytes(packet.body))


def _signature(packet: "library_packets.Packet") -> Signature:
    flags, lifetime = packet.key_flags, packet.key_validity_period
    return Signature(
        type=_name(_known(lambda: packet.signature_type)),
        hash_algorithm=_name(_known(lambda: packet.hash_algorithm)),
        issuer_fingerprint=(packet.issuer_fingerprint or "").upper(),
        can_encrypt=flags is not None and (flags.transport_encryption or flags.storage_encryption),
        lifetime=None if lifetime is None else int(lifetime.total_seconds()),
    )


def _known(read: Callable[[], object]) -> object:
    """A property of a packet, or None for a value that the library has no name for.

    A stranger's signature of a kind that is not known here must not make a certificate unreadable.
    """
    try:
        return _call(read)
    except Refused:
        return None


def _name(member: object) -> str:
    """The library's enumerations cannot be keys of a dictionary; their names can."""
    return str(member).rpartition(".")[2]


def _seconds(moment: datetime.datetime | None) -> int:
    return 0 if moment is None else int(moment.timestamp())
