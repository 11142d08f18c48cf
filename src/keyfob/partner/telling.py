"""What a partner's program should know although nothing has failed yet: told once, by default in the log."""

import logging
from dataclasses import dataclass

_log = logging.getLogger("keyfob.partner")

EXPIRES_SOON = 30 * 24 * 3600
"""Seconds before its end from which on a credential's end is told."""


@dataclass(frozen=True, slots=True)
class ExpiringCredential:
    """What the issuer said with a token: the credential that was presented stops working in `seconds`."""

    client_id: str
    credential_id: str
    seconds: int

    def __str__(self) -> str:
        days = self.seconds // (24 * 3600)
        when = f"{days} days" if days > 1 else f"{max(self.seconds // 3600, 1)} h"
        return f"the credential {self.credential_id} of {self.client_id} stops working in {when}: get its successor"


@dataclass(frozen=True, slots=True)
class SkewedClock:
    """This machine's clock is `seconds` ahead of the issuer's; below zero it is behind.

    Tokens do not hang on it, since their lifetime is counted here. What is signed here, and certificates, do.
    """

    issuer: str
    seconds: int

    def __str__(self) -> str:
        how = "ahead of" if self.seconds > 0 else "behind"
        return f"this machine's clock is {abs(self.seconds)} s {how} that of {self.issuer}: set it (NTP)"


Notice = ExpiringCredential | SkewedClock


def log(notice: Notice) -> None:
    """One line in the log `keyfob.partner`."""
    match notice:
        case ExpiringCredential(client_id, credential_id, seconds):
            line = "credential_expires client_id=%s credential_id=%s seconds=%d"
            _log.warning(line, client_id, credential_id, seconds)
        case SkewedClock(issuer, seconds):
            _log.warning("clock_skewed issuer=%s seconds=%d", issuer, seconds)
