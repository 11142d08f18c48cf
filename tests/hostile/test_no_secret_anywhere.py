"""The whole journey, and then a search for the secrets that were really issued, in every form that a leak takes."""

import base64
import contextlib
import io
import shutil
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from crashing import core_limit_raised, crash
from keyfob.demo import partner_key, story
from keyfob.demo.stage import playing
from keyfob.secret import Secret


def forms(secret: Secret) -> Iterator[bytes]:
    """The secret as text, base64 at each alignment, hex, percent-encoded, and UTF-16."""
    text = secret.reveal()
    raw = text.encode()
    yield raw
    # The middle of a base64 text does not depend on what surrounds it, but for its alignment.
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            yield encode(b"x" * before + raw)[4:-4]
    yield raw.hex().encode()
    yield raw.hex().upper().encode()
    yield "".join(f"%{byte:02X}" for byte in raw).encode()
    yield text.replace("_", "%5F").encode()
    yield text.encode("utf-16-le")
    yield text.encode("utf-16-be")


class ProcessList:
    """What every process shows of itself that has `mark` in its environment, gathered all the while.

    Programs of others may show tokens of theirs. Those that were there before are not looked at.
    """

    def __init__(self, mark: bytes) -> None:
        self.seen: set[bytes] = set()
        self._mark = mark
        self._others = {known for _, known in processes_now()}
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._gather)

    def __enter__(self) -> "ProcessList":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def _gather(self) -> None:
        while not self._ended.wait(0.01):
            for process, known in processes_now():
                if known not in self._others:
                    with contextlib.suppress(OSError):  # it has ended
                        environment = (process / "environ").read_bytes()
                        if self._mark in environment.split(b"\0"):
                            self.seen |= {environment, (process / "cmdline").read_bytes()}


def processes_now() -> Iterator[tuple[Path, tuple[str, int]]]:
    """The folder of each, and what tells it from a later one with the same number."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            yield process, (process.name, process.stat().st_ino)


@pytest.fixture(scope="module")
def journey() -> Iterator[tuple[dict[str, bytes], list[Secret]]]:
    """Everything that the journey left on the disk and showed, and the secrets that were issued on it.

    At its end both servers crash: a core dump would lie where they run, or wherever the kernel puts it.
    """
    # A short path: gpg's sockets allow 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="kf-")).resolve()
    shown = io.StringIO()
    try:
        mark = f"JOURNEY={folder}"
        with (
            core_limit_raised(),
            ProcessList(mark.encode()) as processes,
            playing(folder, shown, io.StringIO()) as stage,
        ):
            stage.environment |= dict([mark.split("=", 1)])
            scene = story.set_up(stage)
            try:
                story.work(stage, scene)
                story.refusals(stage, scene)
                story.rotation(stage, scene)
                messages = ("credentials.asc", "spare.asc", "next.asc")
                issued = [story.open_message(stage, scene, name).client_secret for name in messages]
                story.evidence(stage, scene)
                dumped = [crash(process) for process in stage.processes]
            finally:
                partner_key.stop_agent(stage)
        found = {
            str(path.relative_to(folder)): path.read_bytes()
            for path in folder.rglob("*")
            if path.is_file() and not path.is_socket()
        }
        found["(what was shown)"] = shown.getvalue().encode()
        found["(process list)"] = b"\n".join(processes.seen)
        assert dumped == [False, False]
        yield found, [secret for secret in issued if secret is not None]
    finally:
        shutil.rmtree(folder)


def test_the_journey_left_what_a_leak_would_be_found_in(journey):
    found, issued = journey
    assert len(issued) == 3
    for name in ("operator/keyfob.db", "cdms/cdms.db", "keyfob-server.log", "keyfob-cdms.log", "(process list)"):
        assert found[name], name
    # Who crashes leaves what was written last in the journal beside it.
    assert b"token_issued" in found["operator/keyfob.db"] + found.get("operator/keyfob.db-wal", b"")
    assert b"keyfob.server" in found["(process list)"] and b"keyfob.partner" in found["(process list)"]


def test_the_search_finds_a_secret_in_each_form():
    secret = Secret("kfs_abcdefgh_" + "Q" * 43 + "_123456")
    raw = secret.reveal()
    for leak in (
        f"secret={raw}&",
        base64.b64encode(f"cl_1:{raw}".encode()).decode(),
        f"0x{raw.encode().hex()}",
        f"client_secret={raw.replace('_', '%5F')}",
    ):
        assert any(form in leak.encode() for form in forms(secret)), leak
    assert any(form in f"x{raw}".encode("utf-16-le") for form in forms(secret))


def test_no_issued_secret_is_anywhere(journey):
    found, issued = journey
    for secret in issued:
        for form in forms(secret):
            places = [name for name, content in found.items() if form in content]
            assert places == []


def test_no_token_is_on_the_disk_or_shown(journey):
    """Access tokens live in memory only."""
    found, _ = journey
    # The encoded header of every token that the server signs: {"alg":"ES256","kid":...
    start = base64.urlsafe_b64encode(b'{"alg":"ES256","kid"').rstrip(b"=")[:-2]
    assert [name for name, content in found.items() if start in content] == []
