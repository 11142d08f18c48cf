"""Where the demonstration plays: real commands in a folder of their own, each shown as a person would type it.

Every step says what it expects; anything else ends the demonstration with an error. So it is a test, too.
"""

import contextlib
import os
import queue
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

ENTRY = {
    "keyfob-server": "from keyfob.server.cli import main; main()",
    "keyfob-cdms": "from keyfob.cdms.cli import main; main()",
    # The partner's half must work on a machine that has none of the server's packages: here they cannot be imported.
    "keyfob": "import sys; sys.modules.update(dict.fromkeys(({blocked}))); from keyfob.partner.cli import main; main()",
}
SERVER_PACKAGES = ("uvicorn", "starlette", "sqlalchemy", "alembic", "msgspec", "joserfc", "lxml")
_READY_WITHIN = 60
_COMMAND_WITHIN = 120
_SHOWN_LINES = 12
_SHOWN_WIDTH = 160


class DemoFailed(Exception):
    """A step did not do what the demonstration promises."""


@dataclass(frozen=True, slots=True)
class Outcome:
    status: int
    stdout: str
    stderr: str


class Stage:
    """Runs commands in `folder` and tells of them on `out` and in the transcript."""

    def __init__(self, folder: Path, out: TextIO, transcript: TextIO) -> None:
        self.folder = folder
        self._out = out
        self._transcript = transcript
        self.processes: list[subprocess.Popen[str]] = []
        self.environment = _environment(folder)
        self._act = 0

    def say(self, text: str = "") -> None:
        for file in (self._out, self._transcript):
            print(text, file=file, flush=True)

    def act(self, title: str) -> None:
        self._act += 1
        self.say(f"\n{self._act}. {title}")

    def run(
        self,
        who: str,
        *command: str,
        status: int = 0,
        shows: str = "",
        environment: Mapping[str, str] | None = None,
        quiet: bool = False,
    ) -> Outcome:
        """Run `command`, show it and what came back. Raises DemoFailed unless it ends with `status` and `shows`."""
        done = subprocess.run(  # noqa: S603  # our own programs, no shell
            self._argv(command),
            cwd=self.folder,
            env={**self.environment, **(environment or {})},
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=_COMMAND_WITHIN,
            stdin=subprocess.DEVNULL,
            check=False,
        )
        outcome = Outcome(done.returncode, done.stdout, done.stderr)
        if not quiet:
            self._show(who, command, outcome, environment or {})
        if outcome.status != status or shows not in outcome.stdout + outcome.stderr:
            wanted = f"exit status {status}" + (f" and the words {shows!r}" if shows else "")
            raise DemoFailed(
                f"`{shlex.join(command)}` ended with {outcome.status}; expected {wanted}\n"
                f"{outcome.stdout}{outcome.stderr}"
            )
        return outcome

    def start(self, who: str, *command: str) -> None:
        """Start a server in the background and wait for its ready line."""
        self.say(f"  {who}$ {shlex.join(command)} &")
        log = (self.folder / f"{command[0]}.log").open("w", encoding="utf-8")
        with log:
            process = subprocess.Popen(  # noqa: S603  # our own programs, no shell
                self._argv(command),
                cwd=self.folder,
                env=self.environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                stdin=subprocess.DEVNULL,
            )
        self.processes.append(process)
        line = _first_line(process)
        if not line.startswith("ready "):
            raise DemoFailed(f"{command[0]} did not start: see {log.name}\n{Path(log.name).read_text()}")
        self.say(f"    {line}")

    def show(self, *lines: str) -> None:
        for line in lines:
            self.say(f"    {line}")

    def stop(self) -> None:
        """End every server that was started; once more is nothing."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            if process.stdout is not None:
                process.stdout.close()

    def wait(self) -> None:
        """Until a server ends or the user stops us."""
        with contextlib.suppress(KeyboardInterrupt):
            for process in self.processes:
                process.wait()

    def _argv(self, command: tuple[str, ...]) -> list[str]:
        program, *arguments = command
        entry = ENTRY.get(program)
        if entry is None:
            return list(command)
        blocked = "".join(f"{name!r}," for name in SERVER_PACKAGES)
        # argv[0] is "-c" otherwise, and would stand in the program's own messages.
        return [sys.executable, "-c", entry.replace("{blocked}", blocked), *arguments]

    def _show(self, who: str, command: tuple[str, ...], outcome: Outcome, environment: Mapping[str, str]) -> None:
        settings = "".join(f"{name}={shlex.quote(value)} " for name, value in environment.items())
        self.say(f"  {who}$ {settings}{shlex.join(command)}")
        # In the order in which our programs write: a status comes before the result, an error after it.
        said = (outcome.stderr, outcome.stdout) if outcome.status == 0 else (outcome.stdout, outcome.stderr)
        lines = [line for text in said for line in text.splitlines()]
        for line in lines[:_SHOWN_LINES]:
            self.say("    " + (line if len(line) <= _SHOWN_WIDTH else line[: _SHOWN_WIDTH - 1] + "…"))
        if len(lines) > _SHOWN_LINES:
            self.say(f"    … and {len(lines) - _SHOWN_LINES} lines more")


def _environment(folder: Path) -> dict[str, str]:
    """The user's environment without any setting of ours, at home in the demonstration's folder."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("KEYFOB_")}
    kept.pop("SSL_CERT_FILE", None)
    return {**kept, "HOME": str(folder), "PYTHONUNBUFFERED": "1"}


def _first_line(process: subprocess.Popen[str]) -> str:
    """The first line of its stdout, or nothing when it ends or stays silent; read on in the background."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        with contextlib.suppress(ValueError):  # closed while waiting: the demonstration is over
            lines.put(process.stdout.readline())

    threading.Thread(target=read, daemon=True).start()
    try:
        return lines.get(timeout=_READY_WITHIN).strip()
    except queue.Empty:
        return ""


@contextlib.contextmanager
def playing(folder: Path, out: TextIO, transcript: TextIO) -> Iterator[Stage]:
    """A stage that is cleared at the end: no process is left running."""
    stage = Stage(folder, out, transcript)
    try:
        yield stage
    finally:
        stage.stop()
