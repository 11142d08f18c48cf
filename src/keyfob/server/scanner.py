"""A secret scanner that signs what it reports, as GitHub's does: its published keys, and the check of a signature.

ECDSA over P-256 with SHA-256, of the raw body, in DER and base64, with the name of its key beside it. The keys are a
JSON document at a URL that the operator has set, fetched as a client's are, and kept for a day.
"""

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from keyfob.ambient import Clock
from keyfob.oauth import strict_json
from keyfob.refreshing import Ages, CannotFetch, Refreshing, Unavailable
from keyfob.server.fetching import Fetcher

KEY_HEADER, SIGNATURE_HEADER = b"github-public-key-identifier", b"github-public-key-signature"
AGES = Ages(renew=3600, wait=6 * 3600, good=24 * 3600, cooldown=60)
_MAX_BYTES = 64 * 1024
_MAX_KEYS = 32
_MAX_NAME, _MAX_SIGNATURE = 128, 128
_HOW = ec.ECDSA(hashes.SHA256())

Keys = Mapping[str, ec.EllipticCurvePublicKey]


@dataclass(frozen=True, slots=True)
class Signed:
    """A body, and what two headers say of its signature: nothing of it is believed yet."""

    body: bytes
    key_id: str
    signature: str


class Scanner:
    """`url`: where its keys are published."""

    def __init__(self, fetcher: Fetcher, url: str, *, clock: Clock) -> None:
        async def fetch(_before: Keys | None) -> Keys:
            return read_keys(await fetcher.fetch(url, max_bytes=_MAX_BYTES))

        self._keys = Refreshing(fetch, AGES, what=f"keys at {url}", clock=clock)

    async def has_signed(self, presented: Signed, now: int) -> bool:
        """Whether the signature is the scanner's. False, too, while its keys cannot be had."""
        try:
            known = await self._keys.get(now)
        except Unavailable:
            return False
        if presented.key_id not in known:
            known = await self._keys.newer(now) or known
        return check(presented, known)


def read_keys(body: bytes) -> Keys:
    """`{"public_keys": [{"key_identifier", "key"}]}`, the keys in PEM; others than P-256 are left out.

    Raises CannotFetch when it is no such document.
    """
    try:
        document = strict_json.parse(body)
    except ValueError as broken:
        raise CannotFetch("the scanner's keys are not JSON") from broken
    listed = document.get("public_keys") if isinstance(document, dict) else None
    if not isinstance(listed, list) or len(listed) > _MAX_KEYS:
        raise CannotFetch(f"the scanner's keys need a list `public_keys` of at most {_MAX_KEYS}")
    found: dict[str, ec.EllipticCurvePublicKey] = {}
    for one in listed:
        name, pem = (one.get("key_identifier"), one.get("key")) if isinstance(one, dict) else (None, None)
        key = _read_key(pem) if isinstance(pem, str) else None
        if isinstance(name, str) and 0 < len(name) <= _MAX_NAME and key is not None:
            found[name] = key
    if not found:
        raise CannotFetch("the scanner publishes no key of P-256")
    return found


def check(presented: Signed, known: Keys) -> bool:
    """Whether one of `known` made the signature."""
    key = known.get(presented.key_id)
    if key is None or len(presented.signature) > _MAX_SIGNATURE:
        return False
    try:
        key.verify(base64.b64decode(presented.signature, validate=True), presented.body, _HOW)
    except (InvalidSignature, binascii.Error, ValueError):
        return False
    return True


def _read_key(pem: str) -> ec.EllipticCurvePublicKey | None:
    try:
        key = serialization.load_pem_public_key(pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        return None
    is_ours = isinstance(key, ec.EllipticCurvePublicKey) and isinstance(key.curve, ec.SECP256R1)
    return key if is_ours else None  # type: ignore[return-value]  # seen in the line above
