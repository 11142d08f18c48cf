"""[credentials]: how long a secret works, and how it gives way to its successor."""

from collections.abc import Mapping
from dataclasses import dataclass

from keyfob.problem import Misuse
from keyfob.server.lifecycle.rotation import DAY
from keyfob.settings import Setting, Value, count, positive

MAX_OVERLAP_DAYS = 90


@dataclass(frozen=True, slots=True)
class CredentialSettings:
    """`overlap`, `lifetime`, `announced_for` in seconds. `rotate_days_before` 0: no successor comes by itself."""

    overlap: int
    lifetime: int
    rotate_days_before: int
    announced_for: int


def _overlap(value: Value) -> int:
    seconds = count(value)
    if seconds > MAX_OVERLAP_DAYS * DAY:
        raise ValueError(f"is more than {MAX_OVERLAP_DAYS} days")
    return seconds


SETTINGS = (
    Setting(
        "credentials",
        "overlap",
        7 * DAY,
        "Seconds that a secret works after its successor's first use, unless `client rotate --overlap` says otherwise.",
        _overlap,
        unit="seconds",
    ),
    Setting("credentials", "lifetime", 365 * DAY, "Seconds that a new secret is good for.", positive, unit="seconds"),
    Setting(
        "credentials",
        "rotate_days_before",
        0,
        "Days before a secret expires at which its successor is sealed by itself; 0: never.",
        count,
        unit="days",
    ),
    Setting(
        "credentials",
        "announced_for",
        3 * DAY,
        "Seconds between the announcement of other keys that a partner asks for by its signature, and their first use.",
        positive,
        unit="seconds",
    ),
)


def check(values: Mapping[str, Value]) -> None:
    """Raises Misuse for what does not go together."""
    if int(values["credentials.rotate_days_before"]) * DAY >= int(values["credentials.lifetime"]):
        raise Misuse(
            "rotation-too-early",
            "credentials.rotate_days_before is not shorter than credentials.lifetime: each secret would be old at once",
            hint="30 days go well with a year",
        )


def read(values: Mapping[str, Value]) -> CredentialSettings:
    """The table [credentials]."""
    return CredentialSettings(
        overlap=int(values["credentials.overlap"]),
        lifetime=int(values["credentials.lifetime"]),
        rotate_days_before=int(values["credentials.rotate_days_before"]),
        announced_for=int(values["credentials.announced_for"]),
    )
