"""The same request at the same instant, over connections that two workers of one program share."""

import contextlib
import http.client
import os
import subprocess
import threading
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

ATTEMPTS = 50
needs_proc = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="no /proc to see who holds which connection")
Answer = tuple[int, str]


class Running(Protocol):
    """A program with `--workers 2`. It answers GET /healthz."""

    processes: list[subprocess.Popen[str]]

    def connect(self) -> http.client.HTTPSConnection: ...


def _sockets(process: int) -> int:
    found = 0
    for entry in Path(f"/proc/{process}/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # it was closed meanwhile
            found += str(entry.readlink()).startswith("socket:")
    return found


def _held(program: Running) -> dict[int, int]:
    """How many sockets each worker holds; only root may look into programs of ours."""
    parent = program.processes[-1].pid
    listed = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
    if os.getuid() != 0:
        return dict.fromkeys(map(int, listed), 0)
    return {int(process): _sockets(int(process)) for process in listed}


def _connect(program: Running) -> http.client.HTTPSConnection:
    made = program.connect()
    made.request("GET", "/healthz")
    assert made.getresponse().read()
    return made


def at_once(program: Running, ask: Callable[[http.client.HTTPSConnection], Answer]) -> Counter[Answer]:
    """How often each answer came to `ask`, which sends the one request."""
    before = _held(program)
    assert len(before) == 2
    connections = [_connect(program) for _ in range(ATTEMPTS)]
    shares = {worker: count - before[worker] for worker, count in _held(program).items()}
    assert min(shares.values()) > 0 or os.getuid() != 0, shares
    start, answers = threading.Barrier(ATTEMPTS), []

    def attempt(connection: http.client.HTTPSConnection) -> None:
        start.wait(60)
        answers.append(ask(connection))
        connection.close()

    threads = [threading.Thread(target=attempt, args=(connection,)) for connection in connections]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return Counter(answers)
