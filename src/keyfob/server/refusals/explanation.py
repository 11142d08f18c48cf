"""A kept explanation: what was refused and why, without anything that may be a secret."""

from collections.abc import Mapping
from dataclasses import dataclass

from keyfob.server.refusals.causes import PROVEN, Cause

KEPT_FOR = 24 * 60 * 60
"""Seconds."""

Fact = str | int | list[str]


@dataclass(frozen=True, slots=True)
class Explanation:
    """`error` is what the wire said. `client_id` is a registered one. `facts` are ours, or compared with ours."""

    error_id: str
    at: int
    error: str
    cause: Cause
    client_id: str | None
    address: str
    facts: Mapping[str, Fact]

    @property
    def is_proven(self) -> bool:
        """Whether only a holder of one of the client's secrets can have caused it."""
        return self.client_id is not None and self.cause in PROVEN
