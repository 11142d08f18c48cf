"""Whether a certificate can receive a credential: usable, or refused with the reason and the command that mends it.

RFC 9580 §5.2.3 (self-signatures), §10.1 (transferable public keys). The library encrypts to expired keys, revoked ones
and ones bound by SHA-1 signatures, so every rule stands here; a probe encryption comes last.
"""

import functools
import re
from dataclasses import dataclass
from pathlib import Path

from keyfob.openpgp import algorithms, sequoia
from keyfob.openpgp.sequoia import Kind, Packet, Parsed, Signature
from keyfob.problem import Problem
from keyfob.secret import Secret

MAX_BYTES = 1024 * 1024

_WEAK_HASHES = frozenset({"SHA1", "MD5", "RipeMD"})
_CERTIFICATIONS = frozenset(
    {
        "GenericCertification",
        "PersonaCertification",
        "CasualCertification",
        "PositiveCertification",
        "DirectKey",
    }
)
_CLOCK_SKEW = 24 * 3600
_EXPORT = "gpg --armor --output FILE.asc --export"
_ARMORED_PRIVATE_KEY = re.compile(rb"-----BEGIN PGP (PRIVATE|SECRET) KEY BLOCK")
_ARMORED_OTHER = re.compile(rb"-----BEGIN PGP (MESSAGE|SIGNATURE|SIGNED MESSAGE)")


class CertificateProblem(Problem):
    """A file that is no certificate, or a certificate that must not be used; the hint is the command that mends it."""


@dataclass(frozen=True, slots=True)
class Certificate:
    """A public key with its user ids. `armored` holds it alone, in ASCII.

    `fingerprint`: 40 hexadecimal capitals. `expires_at`: when it stops being usable, None for never.
    """

    armored: bytes
    fingerprint: str
    user_ids: tuple[str, ...]
    expires_at: int | None


@dataclass(frozen=True, slots=True)
class _Subkey:
    """A key that its owner meant for encryption, as the unverified packets tell it."""

    key: Packet
    binding: Signature
    revoked: bool

    @property
    def expires_at(self) -> int | None:
        return None if not self.binding.lifetime else self.key.created_at + self.binding.lifetime


def read_file(path: Path) -> bytes:
    """The content of a certificate file; no more of it is read than a certificate can have."""
    try:
        with path.open("rb") as file:
            content = file.read(MAX_BYTES + 1)
    except OSError as failed:
        raise CertificateProblem(
            "certificate-missing", f"{path} cannot be read: {failed.strerror}", hint="name the certificate's file"
        ) from failed
    _check_size(content)
    return content


def check(content: bytes, *, now: int) -> Certificate:
    """The one certificate in `content`, usable for encryption at `now`. Raises CertificateProblem.

    Do this again before each sealing: time passes.
    """
    parsed = _read(content)
    fingerprint = parsed.fingerprint
    packets = _packets(parsed)
    primary_expires_at = _check_primary(parsed, packets, now=now)
    usable = _usable_subkeys(fingerprint, packets, now=now)
    _probe(parsed, usable)
    ends = [subkey.expires_at for subkey in usable]
    last_subkey = None if None in ends else max(end for end in ends if end is not None)
    limits = [end for end in (primary_expires_at, last_subkey) if end is not None]
    return Certificate(parsed.armored, fingerprint, _user_ids(parsed), min(limits, default=None))


@functools.lru_cache(maxsize=4096)
def ends_at(content: bytes) -> int | None:
    """When a certificate that was accepted once stops being usable, or stopped; None: never. Raises CertificateProblem.

    Remembered, since it depends on nothing else: a calendar asks it of every partner again and again.
    """
    parsed = _read(content)
    packets = _packets(parsed)
    ends = [subkey.expires_at for subkey in _usable_subkeys(parsed.fingerprint, packets, now=None)]
    last_subkey = None if None in ends else max(end for end in ends if end is not None)
    primary = _check_primary(parsed, packets, now=None)
    return min((end for end in (primary, last_subkey) if end is not None), default=None)


def signed_at(content: bytes) -> int:
    """When the key said something about itself for the last time. Of two forms of one key the later one counts."""
    parsed = _read(content)
    return max(
        (
            packet.created_at
            for packet in _packets(parsed)
            if packet.signature is not None and packet.signature.issuer_fingerprint == parsed.fingerprint
        ),
        default=0,
    )


def read_signer(content: bytes, *, now: int | None = None) -> Certificate:
    """The one certificate in `content`, good for verifying signatures. Raises CertificateProblem.

    With `now`, an expired one is refused as well; without, only its signatures' own dates decide.
    """
    parsed = _read(content)
    expires_at = _check_primary(parsed, _packets(parsed), now=now)
    return Certificate(parsed.armored, parsed.fingerprint, _user_ids(parsed), expires_at)


def show_fingerprint(fingerprint: str) -> str:
    """In groups of four, as gpg shows it and as people compare it."""
    return " ".join(fingerprint[start : start + 4] for start in range(0, len(fingerprint), 4))


def _read(content: bytes) -> Parsed:
    """The one certificate in the file, before any question of its use."""
    _check_size(content)
    _check_encoding(content)
    check_no_private_key(content)
    if _ARMORED_OTHER.search(content):
        raise CertificateProblem(
            "not-a-certificate", "the file holds a message or a signature", hint=f"export the key: {_EXPORT} FPR"
        )
    try:
        found = sequoia.read_certificates(content)
    except sequoia.Refused as refused:
        raise CertificateProblem(
            "not-a-certificate",
            f"the file holds no whole OpenPGP certificate: {refused}",
            hint=f"export it anew: {_EXPORT} FPR",
        ) from None
    if not found:
        raise CertificateProblem(
            "not-a-certificate", "the file holds no OpenPGP certificate", hint=f"export it: {_EXPORT} FPR"
        )
    if len(found) > 1:
        raise CertificateProblem(
            "several-certificates",
            f"the file holds {len(found)} certificates, and it is not clear which one is meant",
            hint=f"export the one by its fingerprint: {_EXPORT} FPR",
        )
    if len(found[0].fingerprint) != 40:
        raise CertificateProblem(
            "certificate-version",
            "the certificate is of a version that gpg 2.2 cannot read",
            hint="make a version 4 key: gpg --quick-generate-key 'NAME <MAIL>' rsa4096 default 1m",
        )
    return found[0]


def _check_size(content: bytes) -> None:
    if len(content) > MAX_BYTES:
        raise CertificateProblem(
            "certificate-too-large",
            f"the file is larger than {MAX_BYTES} bytes, which no sensible certificate is",
            hint=f"leave out what others signed: {_EXPORT} FPR --export-options export-minimal",
        )


def _check_encoding(content: bytes) -> None:
    if content.startswith((b"\xff\xfe", b"\xfe\xff")) or b"-\0-\0-\0" in content[:256]:
        raise CertificateProblem(
            "certificate-utf16",
            "the file is in UTF-16, as PowerShell writes it when output is redirected with >",
            hint=f"let gpg write the file: {_EXPORT} FPR",
        )


def check_no_private_key(content: bytes) -> None:
    private = bool(_ARMORED_PRIVATE_KEY.search(content))
    if not private:
        try:
            private = any(packet.kind is Kind.SECRET_KEY for packet in sequoia.read_packets(content))
        except sequoia.Refused:
            return  # no packets at all: said better by what comes next
    if private:
        raise CertificateProblem(
            "private-key",
            "the file holds a PRIVATE key; nothing of it was kept, but it must now be considered exposed",
            hint="revoke it (import its openpgp-revocs.d/FPR.rev), make a new key, and give only its certificate: "
            f"{_EXPORT} FPR",
        )


def _packets(parsed: Parsed) -> tuple[Packet, ...]:
    try:
        return sequoia.read_packets(parsed.armored)
    except sequoia.Refused as refused:
        raise _unusable(parsed.fingerprint, str(refused)) from None


def _check_primary(parsed: Parsed, packets: tuple[Packet, ...], *, now: int | None) -> int | None:
    """When the primary key expires. Raises unless it is strong, alive and not revoked."""
    fingerprint = parsed.fingerprint
    primary = packets[0]
    if weakness := algorithms.weakness(primary.body):
        raise CertificateProblem(
            "key-too-weak",
            f"the key {show_fingerprint(fingerprint)} is {weakness}",
            hint="make a new one: gpg --quick-generate-key 'NAME <MAIL>' rsa4096 default 1m, "
            "then gpg --quick-add-key FPR rsa4096 encr 1m",
        )
    own = [
        packet.signature
        for packet in packets
        if packet.signature is not None
        and packet.signature.type in _CERTIFICATIONS
        and packet.signature.issuer_fingerprint in (fingerprint, "")
    ]
    if own and all(signature.hash_algorithm in _WEAK_HASHES for signature in own):
        raise CertificateProblem(
            "certificate-sha1",
            f"the certificate {show_fingerprint(fingerprint)} is bound by SHA-1 signatures, which can be forged",
            hint=f"sign it anew: gpg --cert-digest-algo SHA256 --quick-set-expire {fingerprint} 1m, "
            f"then the same with '*' at the end, and send it again: {_EXPORT} {fingerprint}",
        )
    try:
        revoked, expires_at = sequoia.is_revoked(parsed.armored), sequoia.expires_at(parsed.armored)
    except sequoia.Refused as refused:
        raise _unusable(fingerprint, str(refused)) from None
    if revoked:
        raise CertificateProblem(
            "certificate-revoked",
            f"the certificate {show_fingerprint(fingerprint)} was revoked by its owner",
            hint="make a new key: gpg --quick-generate-key 'NAME <MAIL>' rsa4096 default 1m, "
            "then gpg --quick-add-key FPR rsa4096 encr 1m",
        )
    if now is not None and primary.created_at > now + _CLOCK_SKEW:
        raise CertificateProblem(
            "certificate-from-the-future",
            f"the certificate {show_fingerprint(fingerprint)} was made in the future",
            hint="set the clock of this computer, or of the one that the key was made on",
        )
    if now is not None and expires_at is not None and expires_at <= now:
        raise CertificateProblem(
            "certificate-expired",
            f"the certificate {show_fingerprint(fingerprint)} has expired",
            hint=f"gpg --quick-set-expire {fingerprint} 1m && gpg --quick-set-expire {fingerprint} 1m '*', "
            f"then send it again: {_EXPORT} {fingerprint}",
        )
    return expires_at


def _usable_subkeys(fingerprint: str, packets: tuple[Packet, ...], *, now: int | None) -> tuple[_Subkey, ...]:
    """The keys that may be encrypted to at `now` (None: ever). Raises for the reason why none of them may."""
    meant = _encryption_keys(packets)
    add_key = f"gpg --quick-add-key {fingerprint} {algorithms.gpg_name(packets[0].body)} encr 1m"
    send = f", then send it again: {_EXPORT} {fingerprint}"
    if not meant:
        raise CertificateProblem(
            "certificate-cannot-encrypt",
            f"the certificate {show_fingerprint(fingerprint)} has no key for encryption, it can only sign",
            hint=add_key + send,
        )
    alive = [subkey for subkey in meant if not subkey.revoked]
    if not alive:
        raise CertificateProblem(
            "encryption-subkey-revoked",
            f"each encryption subkey of {show_fingerprint(fingerprint)} was revoked",
            hint=add_key + send,
        )
    strong = [subkey for subkey in alive if not algorithms.weakness(subkey.key.body)]
    if not strong:
        raise CertificateProblem(
            "encryption-subkey-too-weak",
            f"the encryption subkey of {show_fingerprint(fingerprint)} is {algorithms.weakness(alive[-1].key.body)}",
            hint=add_key + send,
        )
    bound = [subkey for subkey in strong if subkey.binding.hash_algorithm not in _WEAK_HASHES]
    if not bound:
        raise CertificateProblem(
            "certificate-sha1",
            f"the encryption subkey of {show_fingerprint(fingerprint)} is bound by a SHA-1 signature",
            hint=f"gpg --cert-digest-algo SHA256 --quick-set-expire {fingerprint} 1m '*'" + send,
        )
    usable = tuple(subkey for subkey in bound if now is None or subkey.expires_at is None or subkey.expires_at > now)
    if not usable:
        raise CertificateProblem(
            "encryption-subkey-expired",
            f"the encryption subkey of {show_fingerprint(fingerprint)} has expired",
            hint=f"gpg --quick-set-expire {fingerprint} 1m '*'" + send,
        )
    return usable


def _encryption_keys(packets: tuple[Packet, ...]) -> list[_Subkey]:
    """Each key of the certificate whose newest binding signature lets it encrypt (RFC 9580 §5.2.3.29)."""
    found = []
    for index, key in enumerate(packets):
        if key.kind not in (Kind.PUBLIC_KEY, Kind.PUBLIC_SUBKEY):
            continue
        bindings: list[Packet] = []
        revoked = False
        for packet in packets[index + 1 :]:
            if packet.kind is Kind.PUBLIC_SUBKEY:
                break
            if packet.signature is None:
                continue
            if packet.signature.type == "SubkeyRevocation":
                revoked = True
            elif packet.signature.type == "SubkeyBinding" or (
                key.kind is Kind.PUBLIC_KEY
                and packet.signature.type in _CERTIFICATIONS
                and packet.signature.issuer_fingerprint == key.fingerprint
            ):
                bindings.append(packet)
        newest = max(bindings, key=lambda packet: packet.created_at, default=None)
        if newest is not None and newest.signature is not None and newest.signature.can_encrypt:
            found.append(_Subkey(key, newest.signature, revoked))
    return found


def _probe(parsed: Parsed, usable: tuple[_Subkey, ...]) -> None:
    """Encrypt a nothing: the library verifies the binding signatures, and must choose a key that is usable."""
    try:
        message = sequoia.encrypt(Secret(b"probe"), recipient=parsed.armored, signing_key=None)
        chosen = algorithms.recipients(sequoia.read_packets(message))
    except sequoia.Refused as refused:
        raise _unusable(parsed.fingerprint, str(refused)) from None
    if not chosen or not set(chosen) <= {subkey.key.fingerprint[-16:] for subkey in usable}:
        raise _unusable(parsed.fingerprint, "encryption would go to a subkey that is expired or too weak")


def _unusable(fingerprint: str, why: str) -> CertificateProblem:
    return CertificateProblem(
        "certificate-unusable",
        f"the certificate {show_fingerprint(fingerprint)} cannot be used: {why}",
        hint=f"refresh it: gpg --quick-set-expire {fingerprint} 1m, and send it again: {_EXPORT} {fingerprint}",
    )


def _user_ids(parsed: Parsed) -> tuple[str, ...]:
    """User ids are anybody's text: nothing that could move a terminal's cursor stays in them."""
    try:
        user_ids = sequoia.user_ids(parsed.armored)
    except sequoia.Refused as refused:
        raise _unusable(parsed.fingerprint, str(refused)) from None
    return tuple(
        "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)[:256] for text in user_ids[:32]
    )
