"""The two HTTP shapes of the protocol: headers as ASGI gives them, and a response as a value."""

from collections.abc import Sequence
from dataclasses import dataclass

Headers = Sequence[tuple[bytes, bytes]]
"""Names in lower case, in the order of their arrival, repeats kept."""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole response; whoever sends it adds its length."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes


def values(headers: Headers, name: bytes) -> list[bytes]:
    """All values of the header `name` (in lower case)."""
    return [value for found, value in headers if found == name]
