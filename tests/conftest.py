"""What every test stands on: the one honest closing line, and no silent skip in CI."""

import os
from collections import Counter

import pytest

NO_DATA = "no test data"


def pytest_unconfigure(config: pytest.Config) -> None:
    """End with `N passed, M skipped: reason x count`, so that nobody mistakes a skip for a pass."""
    reporter = config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None:
        return
    stats = reporter.stats
    reasons = Counter(skip_reason(report) for report in stats.get("skipped", []))
    failed = len(stats.get("failed", [])) + len(stats.get("error", []))
    line = f"{len(stats.get('passed', []))} passed, " + (f"{failed} failed, " if failed else "")
    line += f"{sum(reasons.values())} skipped"
    if reasons:
        line += ": " + ", ".join(f"{reason} x {count}" for reason, count in sorted(reasons.items()))
    reporter.write_line(line)


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """In CI the only skip that counts as success is the absence of the public clinical files."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if os.environ.get("KEYFOB_CI") and reporter is not None and exitstatus == 0:
        others = [r for r in reporter.stats.get("skipped", []) if skip_reason(r) != NO_DATA]
        if others:
            reporter.write_line(f"CI: {len(others)} tests were skipped for another reason than {NO_DATA!r}", red=True)
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def skip_reason(report: pytest.TestReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return text.removeprefix("Skipped: ")
