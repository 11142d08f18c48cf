"""What a good client feels of an attack: its answers beside 10,000 idle connections, slow bodies, slow handshakes and
200 wrong secrets a second from its own address. Half of its requests open a connection of their own, half share one.
"""

import contextlib
import http.client
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from ground import BODY, PORT, Ground, ground

from keyfob import tls

IDLE = 10_000
REQUESTS = 400
PAUSE = 0.02
"""Seconds between two requests: a client, and not a load."""
BOUND = 100.0
"""Milliseconds that 99 of 100 answers should take at most."""


def main() -> None:
    idle = min(IDLE, resource.getrlimit(resource.RLIMIT_NOFILE)[1] - 1000)
    with ground() as found:
        report("alone", measure(found))
        with attack(found, idle) as attacker:
            taken = measure(found)
            seen, _ = attacker.communicate("")
        print(f"  {seen.strip()}")
        p99 = report("attacked", taken)
    print(
        f"beside {idle} idle connections and 200 wrong secrets a second, p99 is {p99:.0f} ms ({BOUND:.0f} is the bound)"
    )


def report(when: str, taken: dict[str, list[float]]) -> float:
    for how, times in taken.items():
        p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
        print(f"  {when}, {how}: p50 {p50:.1f} ms, p99 {p99:.1f} ms, max {max(times):.1f} ms of {len(times)}")
    return statistics.quantiles([time for times in taken.values() for time in times], n=100)[98]


@contextlib.contextmanager
def attack(found: Ground, idle: int) -> Iterator["subprocess.Popen[str]"]:
    program = Path(__file__).with_name("attack.py")
    process = subprocess.Popen(
        [
            *(sys.executable, program, "--port", str(PORT), "--ca", found.ca),
            *("--client", found.client.client_id, "--idle", str(idle)),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()


def measure(found: Ground) -> dict[str, list[float]]:
    """Milliseconds of each answer; one that is no token ends the benchmark."""
    kept = connect(found)
    taken: dict[str, list[float]] = {"one connection": [], "a connection each": []}
    for number in range(REQUESTS):
        began = time.perf_counter()
        connection = kept if number % 2 else connect(found)
        connection.request("POST", "/oauth2/token", BODY, found.headers())
        response = connection.getresponse()
        response.read()
        taken["one connection" if number % 2 else "a connection each"].append((time.perf_counter() - began) * 1000)
        assert response.status == 200, response.status
        if connection is not kept:
            connection.close()
        time.sleep(PAUSE)
    kept.close()
    return taken


def connect(found: Ground) -> http.client.HTTPSConnection:
    context = tls.client_context(found.ca, environ={})
    return http.client.HTTPSConnection("localhost", PORT, context=context, timeout=30)


if __name__ == "__main__":
    main()
