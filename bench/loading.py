"""One server under load: its CPU time, and what its clients saw. The load comes from a process of its own."""

import contextlib
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from ground import BODY, headers

LOAD = Path(__file__).with_name("load.py")


@dataclass(frozen=True, slots=True)
class Taken:
    """`cpu`: of the server, seconds for a thousand requests. `rate`: requests a second."""

    cpu: float
    rate: float
    milliseconds: tuple[float, ...]
    errors: int
    resumed: int

    @property
    def p50(self) -> float:
        return statistics.median(self.milliseconds)

    @property
    def p99(self) -> float:
        return statistics.quantiles(self.milliseconds, n=100)[98]


@dataclass(frozen=True, slots=True)
class Target:
    """`cpu` reads the CPU seconds of the server so far. `bodies`: one for each request, or one for all.

    `heads`: those of many clients, given out in turn in place of one.
    """

    port: int
    cpu: Callable[[], float]
    path: str = "/oauth2/token"
    credential: tuple[str, str] | None = None
    bodies: Sequence[str] = (BODY.decode(),)
    ca: Path | None = None
    connect: str = "kept"
    heads: Sequence[str] = ()

    def head(self) -> str:
        lines = [f"POST {self.path} HTTP/1.1", "host: localhost"]
        named = headers(*self.credential) if self.credential else {"content-type": "application/x-www-form-urlencoded"}
        lines += [f"{name}: {value}" for name, value in named.items()]
        return "\r\n".join(lines) + "\r\n"


def load(target: Target, count: int, *, connections: int = 16, warm: int = 200) -> Taken:
    asked = {
        "port": target.port,
        "heads": list(target.heads) or [target.head()],
        "bodies": list(target.bodies),
        "count": count,
        "warm": warm,
        "connections": connections,
        "ca": None if target.ca is None else str(target.ca),
        "connect": target.connect,
    }
    with subprocess.Popen([sys.executable, LOAD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps(asked) + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "warm\n"
        before = target.cpu()
        process.stdin.write("go\n")
        process.stdin.flush()
        seen = json.loads(process.stdout.readline())
        spent = target.cpu() - before
    times = tuple(seen["milliseconds"])
    return Taken(spent / count * 1000, count / seen["seconds"], times, seen["errors"], seen["resumed"])


@contextlib.contextmanager
def running(*command: str | Path) -> "Iterator[tuple[subprocess.Popen[str], str]]":
    """A program of others, and what it said after `ready`: its version."""
    with subprocess.Popen(
        list(map(str, command)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.readline().split()
            if said[:1] != ["ready"]:
                raise OSError(f"{command[1]} did not start")
            yield process, said[1]
        finally:
            process.terminate()
