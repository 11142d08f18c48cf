"""The one type in which a secret lives, from its first byte to its last use.

A Secret shows itself only through `.reveal()`, which is easy to find in a review: `grep -rn 'reveal()'`.
"""

import hmac
from typing import NoReturn

_SHOWN = "Secret(…)"


class Secret:
    """A confidential text or byte string. repr, str, format, pickle, copy, JSON and logging never show it.

    What cannot be promised: Python may have copied the value in memory before it came here, and it is not
    wiped when freed.
    """

    __slots__ = ("__value",)

    def __init__(self, value: str | bytes) -> None:
        self.__value = value.encode() if isinstance(value, str) else bytes(value)

    def reveal(self) -> str:
        """The secret as text. Call it next to its one use, and keep no other name for the result."""
        return self.__value.decode()

    def reveal_bytes(self) -> bytes:
        """The secret as bytes, for key material and MACs."""
        return self.__value

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.__value, other.__value)

    # A hash of a secret is a fingerprint of it: a Secret is no key of a dictionary.
    __hash__ = None  # type: ignore[assignment]  # the documented way to forbid hashing

    def __bool__(self) -> bool:
        return bool(self.__value)

    def __repr__(self) -> str:
        return _SHOWN

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return _SHOWN

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret is never pickled or copied: pass the object itself")

    def __getstate__(self) -> NoReturn:
        raise TypeError("a Secret has no state to give away")
