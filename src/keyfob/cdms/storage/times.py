"""When something was recorded: ICH E6(R3) 4.2.2(d), the times of a trail never run backwards."""

from keyfob.problem import Problem

CLOCK_LEEWAY = 60
"""Seconds by which a clock may be behind the last record, as those of two machines are."""


def following(last: int, *, now: int) -> int:
    """The time of what comes after a record of `last`. Raises Problem when the clock is behind it by too much."""
    if now < last - CLOCK_LEEWAY:
        raise Problem(
            "clock-behind", f"the clock is {last - now} s behind the audit trail", hint="set it right, then try again"
        )
    return max(last, now)
