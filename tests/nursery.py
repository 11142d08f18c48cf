"""Servers that start at once: forks of a process that has imported the program. For tests that start a hundred.

Each is a process of its own, begins where the program does, and is killed as any other. One lives at a time.
"""

import contextlib
import importlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass
class Server:
    """What `Load` needs of a process."""

    pid: int
    nursery: "Nursery"

    def send_signal(self, number: signal.Signals) -> None:
        os.kill(self.pid, number)

    def wait(self) -> None:
        assert self.nursery.line().startswith("ended ")
        self.nursery.living = None


class Nursery:
    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.living: Server | None = None

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def start(self, *arguments: object, ready: str) -> Server:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps([str(argument) for argument in arguments]) + "\n")
        self._process.stdin.flush()
        said = sorted([self.line(), self.line()])  # the parent's line and the child's, in any order
        assert said[0].startswith("began ") and said[1] == f"ready {ready}", said
        self.living = Server(int(said[0].split()[1]), self)
        return self.living


@contextlib.contextmanager
def nursery(program: str, *modules: str, log: Path) -> Iterator[Nursery]:
    """For the module `program` that has `main`; `modules` are what it imports when it serves."""
    command = [sys.executable, __file__, program, *modules]
    with log.open("a") as errors:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
    with process:
        servers = Nursery(process)
        try:
            yield servers
        finally:
            if servers.living is not None:  # the test failed
                servers.living.send_signal(signal.SIGKILL)


def _run(program: str, *modules: str) -> None:
    main = importlib.import_module(program).main
    for module in modules:
        importlib.import_module(module)
    while line := sys.stdin.readline():
        child = os.fork()
        if child == 0:
            sys.argv[1:] = json.loads(line)
            main()
        print("began", child, flush=True)  # noqa: T201  # to the test
        print("ended", os.waitpid(child, 0)[1], flush=True)  # noqa: T201


if __name__ == "__main__":
    _run(*sys.argv[1:])
