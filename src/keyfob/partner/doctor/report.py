"""How the outcomes are told: to a person, to a program (JSON), and to a build server (JUnit XML)."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape, quoteattr

import click

from keyfob.partner.doctor.check import Check, Outcome, Status
from keyfob.partner.scan.finding import shown

_COLORS = {Status.PASS: "green", Status.UNKNOWN: "cyan", Status.WARN: "yellow", Status.FAIL: "red"}
_SUITE = "keyfob doctor"


@dataclass(frozen=True, slots=True)
class Told:
    """A check, and what came of it."""

    check: Check
    outcome: Outcome


def text(told: Sequence[Told]) -> str:
    """A line for each; for what does not pass, why it matters and what mends it."""
    width = max((len(one.check.name) for one in told), default=0)
    lines = []
    for one in told:
        outcome = one.outcome
        status = click.style(f"{outcome.status:7}", fg=_COLORS[outcome.status], bold=outcome.status is Status.FAIL)
        lines.append(f"{status} {one.check.name:{width}}  {shown(outcome.said)}")
        margin = " " * (width + 10)
        lines += [f"{margin}{shown(detail)}" for detail in outcome.details]
        if outcome.status in (Status.WARN, Status.FAIL):
            lines.append(f"{margin}why:  {one.check.why}")
        if outcome.mend and outcome.status is not Status.PASS:
            lines.append(f"{margin}mend: {shown(outcome.mend)}")
    counts = _counts(told)
    return "\n".join([*lines, ", ".join(f"{counts[status]} {status}" for status in reversed(Status))])


def document(told: Sequence[Told]) -> dict[str, object]:
    """For `--json`."""
    counts = _counts(told)
    return {
        "checks": [
            {
                "name": one.check.name,
                "status": str(one.outcome.status),
                "said": one.outcome.said,
                "details": list(one.outcome.details),
                "why": one.check.why,
                "mend": one.outcome.mend,
            }
            for one in told
        ],
        "counts": {str(status): counts[status] for status in Status},
    }


def junit(told: Sequence[Told]) -> str:
    """A test case for each: `fail` is a failure, `unknown` is skipped, `warn` passes and says so in its output."""
    counts = _counts(told)
    totals = f'tests="{len(told)}" failures="{counts[Status.FAIL]}" errors="0" skipped="{counts[Status.UNKNOWN]}"'
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuite name={_quoted(_SUITE)} {totals}>"]
    for one in told:
        outcome = one.outcome
        body = "\n".join(filter(None, [outcome.said, *outcome.details, f"why: {one.check.why}", _mend(outcome)]))
        lines.append(f'  <testcase classname="keyfob.doctor" name={_quoted(one.check.name)} time="0">')
        if outcome.status is Status.FAIL:
            lines.append(f"    <failure message={_quoted(outcome.said)}>{_escaped(body)}</failure>")
        elif outcome.status is Status.UNKNOWN:
            lines.append(f"    <skipped message={_quoted(outcome.said)}/>")
        elif outcome.status is Status.WARN:
            lines.append(f"    <system-out>{_escaped(body)}</system-out>")
        lines.append("  </testcase>")
    return "\n".join([*lines, "</testsuite>", ""])


def _mend(outcome: Outcome) -> str:
    return f"mend: {outcome.mend}" if outcome.mend else ""


def _counts(told: Sequence[Told]) -> Counter[Status]:
    return Counter(one.outcome.status for one in told)


def _quoted(text: str) -> str:
    return quoteattr(shown(text))


def _escaped(text: str) -> str:
    return escape("\n".join(shown(line) for line in text.splitlines()))
