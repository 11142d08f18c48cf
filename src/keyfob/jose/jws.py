"""RFC 7515: compact JWS of JSON claims, signed and verified. Nobody ever holds claims whose signature was not checked.

RFC 8725: the algorithm is the key's and never the token's choice; keys inside the token are ignored (`jwk`, `jku`,
`x5u`); extensions are refused (`crit`, `b64`); one spelling of each token.
"""

import functools
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Protocol

from cryptography.exceptions import InvalidSignature

from keyfob.jose.compact import decode, decode_json, encode, encode_json
from keyfob.jose.keys import VerificationKey
from keyfob.secret import Secret

Header = Mapping[str, object]


class InvalidJws(ValueError):
    """The text is no JWS that can be believed; the message says why and quotes nothing of it."""


class Signer(Protocol):
    """A private key, wherever it lies: SigningKey here, RemoteKey elsewhere."""

    @property
    def kid(self) -> str: ...

    @property
    def protected(self) -> bytes:
        """The encoded header of an access token."""
        ...

    def header(self, kind: str) -> bytes:
        """The encoded header of what is signed as `kind`."""
        ...

    def sign(self, message: bytes) -> bytes:
        """The signature of `message`. Blocking where the key lies elsewhere: raises what that service's client does."""
        ...


def sign(claims: Mapping[str, object], key: Signer, *, header: bytes) -> Secret:
    """The claims as a compact JWS (RFC 7515 §7.1) under a header that `key.header` made."""
    signing_input = header + b"." + encode_json(claims)
    return Secret(signing_input + b"." + encode(key.sign(signing_input)))


def verify(
    token: Secret, find_keys: Callable[[Header], Sequence[VerificationKey]], *, max_bytes: int
) -> tuple[Header, Mapping[str, object]]:
    """Header and claims, once the signature holds. Raises InvalidJws, and whatever `find_keys` raises.

    `find_keys` is given the unverified header, and answers with the few keys that may have signed it.
    """
    text = token.reveal_bytes()
    if len(text) > max_bytes:
        raise InvalidJws("it is too long")
    parts = text.split(b".")
    if len(parts) != 3:
        raise InvalidJws("it is not a compact JWS")
    try:
        header, claims, signature = _read_header(parts[0]), decode(parts[1]), decode(parts[2])
    except ValueError as broken:
        raise InvalidJws("its parts cannot be decoded") from broken
    # RFC 7515 §4.1.11: an extension that is not understood is refused.
    if "crit" in header or "b64" in header:
        raise InvalidJws("its header demands an extension (RFC 7515 §4.1.11)")
    alg, keys = header.get("alg"), find_keys(header)
    signing_input = text[: -len(parts[2]) - 1]
    for key in keys:
        # RFC 7515 §4.1.1, RFC 8725 §3.1: one key, one algorithm. A token cannot choose another.
        if key.algorithm.name == alg and _is_signed(signing_input, signature, key):
            break
    else:
        if all(key.algorithm.name != alg for key in keys):
            raise InvalidJws("its alg is not its key's")
        # RFC 7515 §5.2, RFC 9068 §4, RFC 8725 §3.3: the signature holds, or nothing does.
        raise InvalidJws("the signature does not verify")
    try:
        document = decode_json(claims)
    except ValueError as broken:
        raise InvalidJws("its claims are not strict JSON") from broken
    if not isinstance(document, dict):
        raise InvalidJws("its claims are no object")
    return header, document


# All tokens that one key signed begin alike; nothing secret is in a header.
@functools.lru_cache(maxsize=64)
def _read_header(part: bytes) -> Header:
    header = decode_json(decode(part))
    if not isinstance(header, dict):
        raise ValueError("its header is no object")
    return MappingProxyType(header)


def _is_signed(signing_input: bytes, signature: bytes, key: VerificationKey) -> bool:
    try:
        key.algorithm.verify(key.public_key, signing_input, signature)
    except InvalidSignature:
        return False
    return True


def has_type(header: Header, kind: str) -> bool:
    """RFC 7515 §4.1.9: `typ` with or without the media type's prefix, in any case."""
    said = header.get("typ")
    # RFC 7515 §4.1.9: `typ` is read with or without the media type's prefix, in any case.
    return said == kind or (isinstance(said, str) and said.lower() in (kind, f"application/{kind}"))
