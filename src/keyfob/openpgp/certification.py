"""RFC 9580 §5.2.1.4-7, §5.2.4: whether one key vouches for another. By hand: the library verifies no such signature."""

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, utils
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicNumbers

from keyfob.openpgp import sequoia
from keyfob.openpgp.certificate import Certificate
from keyfob.openpgp.sequoia import Kind

_CERTIFICATIONS = frozenset({0x10, 0x11, 0x12, 0x13})
_REVOCATION = 0x30
_HASHES: dict[int, hashes.HashAlgorithm] = {8: hashes.SHA256(), 9: hashes.SHA384(), 10: hashes.SHA512()}
_RSA, _EDDSA, _ED25519 = (1, 3), 22, 27
_CREATED, _EXPIRES = 2, 3


@dataclass(frozen=True, slots=True)
class _Signature:
    """A version 4 signature packet (§5.2.3), not verified. `signed`: what it hashes of itself."""

    type: int
    algorithm: int
    hash: int
    signed: bytes
    left: bytes
    values: bytes
    created_at: int
    lifetime: int


def certifies(former: Certificate, certificate: Certificate, *, now: int) -> bool:
    """Whether the primary key of `former` certified a user id of `certificate`, and did not take that back.

    That `former` is alive and not revoked is the caller's to check (certificate.read_signer).
    """
    try:
        key = sequoia.read_packets(former.armored)[0].body
        packets = sequoia.read_packets(certificate.armored)
    except sequoia.Refused:
        return False
    vouched: set[bytes] = set()
    taken_back: set[bytes] = set()
    user_id: bytes | None = None
    for packet in packets:
        if packet.kind is Kind.USER_ID:
            user_id = packet.body
        elif packet.kind is not Kind.SIGNATURE:
            user_id = None
        elif user_id is not None and (found := _read(packet.body)) is not None:
            if found.type not in (*_CERTIFICATIONS, _REVOCATION) or not _is_good(found, key, packets[0].body, user_id):
                continue
            if found.type == _REVOCATION:
                taken_back.add(user_id)
            elif found.created_at <= now and (not found.lifetime or now < found.created_at + found.lifetime):
                vouched.add(user_id)
    return bool(vouched - taken_back)


def _read(body: bytes) -> _Signature | None:
    """None for what is cut, or of another version."""
    if len(body) < 10 or body[0] != 4:
        return None
    hashed_end = 6 + int.from_bytes(body[4:6], "big")
    rest = hashed_end + 2 + int.from_bytes(body[hashed_end : hashed_end + 2], "big")
    if len(body) < rest + 4:
        return None
    dates = _dates(body[6:hashed_end])
    if _CREATED not in dates:
        return None
    return _Signature(
        body[1],
        body[2],
        body[3],
        body[:hashed_end],
        body[rest : rest + 2],
        body[rest + 2 :],
        dates[_CREATED],
        dates.get(_EXPIRES, 0),
    )


def _dates(subpackets: bytes) -> dict[int, int]:
    """The subpackets of four bytes that are dates, by their type (§5.2.3.7)."""
    found: dict[int, int] = {}
    while subpackets:
        first = subpackets[0]
        if first < 192:
            length, start = first, 1
        elif first < 255:
            length, start = ((first - 192) << 8) + int.from_bytes(subpackets[1:2], "big") + 192, 2
        else:
            length, start = int.from_bytes(subpackets[1:5], "big"), 5
        content = subpackets[start : start + length]
        if len(content) == 5 and content[0] & 0x7F in (_CREATED, _EXPIRES):
            found[content[0] & 0x7F] = int.from_bytes(content[1:], "big")
        if not length:
            break
        subpackets = subpackets[start + length :]
    return found


def _is_good(signature: _Signature, signer: bytes, key: bytes, user_id: bytes) -> bool:
    """`signer`, `key`: the bodies of public key packets."""
    algorithm = _HASHES.get(signature.hash)
    if algorithm is None:
        return False
    # §5.2.4: the key, the user id, then the signature's own hashed part and its length.
    hashed = b"\x99" + len(key).to_bytes(2, "big") + key
    hashed += b"\xb4" + len(user_id).to_bytes(4, "big") + user_id
    hashed += signature.signed + b"\x04\xff" + len(signature.signed).to_bytes(4, "big")
    digest = hashlib.new(algorithm.name, hashed).digest()
    if digest[:2] != signature.left or len(signer) < 12 or signer[0] != 4:
        return False
    material, kind = signer[6:], signer[5]
    try:
        if kind in _RSA and signature.algorithm in _RSA:
            _verify_rsa(material, signature.values, digest, algorithm)
        elif kind == signature.algorithm == _EDDSA:
            point = _integers(material[1 + material[0] :])[0]
            r, s = _integers(signature.values)
            raw = r.rjust(32, b"\0") + s.rjust(32, b"\0")
            Ed25519PublicKey.from_public_bytes(point.removeprefix(b"\x40")).verify(raw, digest)
        elif kind == signature.algorithm == _ED25519:
            Ed25519PublicKey.from_public_bytes(material[:32]).verify(signature.values[:64], digest)
        else:
            return False
    except (InvalidSignature, ValueError, IndexError):
        return False
    return True


def _verify_rsa(material: bytes, values: bytes, digest: bytes, algorithm: hashes.HashAlgorithm) -> None:
    n, e = _integers(material)[:2]
    numbers = RSAPublicNumbers(int.from_bytes(e, "big"), int.from_bytes(n, "big"))
    signed = _integers(values)[0].rjust(len(n), b"\0")
    numbers.public_key().verify(signed, digest, padding.PKCS1v15(), utils.Prehashed(algorithm))


def _integers(content: bytes) -> list[bytes]:
    """Multiprecision integers (§3.2), as far as they are whole."""
    found = []
    while len(content) >= 2:
        length = (int.from_bytes(content[:2], "big") + 7) // 8
        if len(content) < 2 + length:
            break
        found.append(content[2 : 2 + length])
        content = content[2 + length :]
    return found
