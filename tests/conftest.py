"""What every test stands on: the one honest closing line, and no silent skip in CI."""

import os
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from keyfob import tls
from keyfob.ambient import system_clock

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


@dataclass(frozen=True)
class TlsFiles:
    """A throw-away authority and a certificate of its own for localhost."""

    ca: Path
    certificate: Path
    private_key: Path

    def client_context(self) -> ssl.SSLContext:
        return tls.client_context(self.ca, environ={})


def make_tls_files(folder: Path, *names: str) -> TlsFiles:
    folder.mkdir(exist_ok=True)
    tls.create_authority(folder, now=system_clock())
    certificate, private_key = tls.issue_certificate(
        folder, names=names or ("localhost", "127.0.0.1", "::1"), now=system_clock()
    )
    files = TlsFiles(folder / "ca.pem", folder / "server.pem", folder / "server.key")
    files.certificate.write_bytes(certificate)
    files.private_key.write_bytes(private_key.reveal_bytes())
    files.private_key.chmod(0o600)
    return files


@pytest.fixture
def make_tls() -> Callable[[Path], TlsFiles]:
    return make_tls_files


@pytest.fixture(scope="session")
def tls_files(tmp_path_factory: pytest.TempPathFactory) -> TlsFiles:
    return make_tls_files(tmp_path_factory.mktemp("tls"))


def free_port() -> int:
    """A port that was free a moment ago, and is seldom given out again so soon."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def port() -> int:
    return free_port()
