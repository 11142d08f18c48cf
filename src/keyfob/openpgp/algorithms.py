"""RFC 9580 §9.1: which public keys are strong enough, and which keys a message is encrypted to (§5.1)."""

from collections.abc import Iterable

from keyfob.openpgp.sequoia import Kind, Packet

MIN_RSA_BITS = 3072
HIDDEN = "0" * 16
"""The key id of a recipient who is not named."""

_RSA = frozenset({1, 2, 3})
_ECDH = 18
_EDDSA = 22
_NATIVE_CURVES = frozenset({25, 26, 27, 28})  # X25519, X448, Ed25519, Ed448
_POST_QUANTUM = range(30, 37)
_CURVES = {
    bytes.fromhex("2b060104019755010501"): "Curve25519",
    bytes.fromhex("2b06010401da470f01"): "Ed25519",
}
_OTHER_NAMES = {16: "ElGamal", 17: "DSA", 19: "ECDSA"}


def weakness(key_body: bytes) -> str:
    """Why a key must not be used, such as "RSA of 1024 bits"; "" when it is strong. Takes the body of its packet."""
    if len(key_body) < 12:
        return "damaged"
    version, algorithm = key_body[0], key_body[5]
    if version != 4:
        return f"a key of version {version}, which is not in use any more" if version < 4 else ""
    if algorithm in _RSA:
        bits = int.from_bytes(key_body[6:8], "big")  # the length of the modulus, an MPI (§3.2)
        return "" if bits >= MIN_RSA_BITS else f"RSA of {bits} bits, less than {MIN_RSA_BITS}"
    if algorithm in (_ECDH, _EDDSA):
        curve = key_body[7 : 7 + key_body[6]]
        return "" if curve in _CURVES else "on a curve other than Curve25519 and Ed25519"
    if algorithm in _NATIVE_CURVES or algorithm in _POST_QUANTUM:
        return ""
    return f"of an algorithm that is not accepted ({_OTHER_NAMES.get(algorithm, algorithm)})"


def gpg_name(key_body: bytes) -> str:
    """What gpg calls the encryption algorithm that goes with a primary key."""
    return "rsa4096" if len(key_body) > 5 and key_body[5] in _RSA else "cv25519"


def recipients(packets: Iterable[Packet]) -> tuple[str, ...]:
    """The key ids that a message is encrypted to: 16 hexadecimal capitals each, zeros for a hidden one (§5.1.8)."""
    return tuple(_recipient(packet.body) for packet in packets if packet.kind is Kind.PKESK)


def _recipient(body: bytes) -> str:
    if body[:1] == b"\x03":
        return body[1:9].hex().upper()
    # Version 6 (§5.1.2): length, version of the key, fingerprint. The key id is its end, or in version 6 its beginning.
    fingerprint = body[3 : 2 + body[1]] if len(body) > 2 else b""
    identifier = fingerprint[:8] if body[2:3] == b"\x06" else fingerprint[-8:]
    return identifier.hex().upper() or HIDDEN
