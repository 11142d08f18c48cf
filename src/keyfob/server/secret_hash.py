"""How client secrets are kept: `hmac-sha256$PEPPER_ID$HEX`, the pepper outside the database.

No slow password hash: the secrets are ours and have 256 bits, so it would buy nothing and let a stranger spend our CPU.
"""

import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from keyfob.secret import Secret

_ALGORITHM = "hmac-sha256"
NO_SECRET = "none"  # noqa: S105  # the absence of one
"""What stands in place of a hash where there is no secret: nothing matches it."""


@dataclass(frozen=True, slots=True)
class Pepper:
    """A server-side MAC key. Two may be live at once: the newer hashes, both verify."""

    id: str
    key: Secret


def hash_secret(secret: Secret, pepper: Pepper) -> str:
    """What to store of `secret`."""
    return f"{_ALGORITHM}${pepper.id}${_mac(secret, pepper)}"


def matches(secret: Secret, stored: str | None, peppers: Sequence[Pepper]) -> bool:
    """Whether `stored` is the hash of `secret`. None is an unknown credential: the same work, and False.

    A stored value that names no live pepper, or another algorithm, matches nothing.
    """
    algorithm, pepper_id, digest = _parts(stored)
    live = next((pepper for pepper in peppers if pepper.id == pepper_id), None)
    computed = _mac(secret, live or peppers[0])
    equal = hmac.compare_digest(computed.encode(), digest.encode())
    return equal and live is not None and algorithm == _ALGORITHM


def _parts(stored: str | None) -> tuple[str, str, str]:
    parts = (stored or "").split("$")
    # 64 zeros: as long as a digest, so that the comparison takes as long.
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else ("", "", "0" * 64)


def _mac(secret: Secret, pepper: Pepper) -> str:
    return hmac.digest(pepper.key.reveal_bytes(), secret.reveal_bytes(), "sha256").hex()
