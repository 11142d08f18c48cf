"""What a good partner feels of one that forgets to keep its token, and wants 1,000 a second: p99 alone and beside.

The two take turns in one run. The limit of tokens is as it is set by default, so that nearly all that the greedy one
asks for is refused; it has 64 connections to ask on. The good one asks by key, nine times a second, over TLS.
"""

import asyncio
import contextlib
import json
import ssl
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from ground import BODY, PORT, Ground, ground
from measuring import Figure

from keyfob import tls

RATE = 1000
CONNECTIONS = 64
PAUSE = 0.11
"""Seconds between two requests of the good one, which stays below its own limit."""
BOUND = 1.5
ALONE, BESIDE = "a good partner alone, p99", "beside one that wants 1,000 a second, p99"


def measure(*, rounds: int, count: int) -> tuple[list[Figure], list[str]]:
    taken: dict[str, list[float]] = {ALONE: [], BESIDE: []}
    seen: Counter[str] = Counter()
    with ground({"tokens_per_client_per_minute": "600"}) as found:
        asyncio.run(ask(found, count))  # what is only done once is done
        for _ in range(rounds):
            taken[ALONE].append(p99(asyncio.run(ask(found, count))))
            with greed(found) as greedy:
                taken[BESIDE].append(p99(asyncio.run(ask(found, count))))
                told, _ = greedy.communicate("")
            seen += Counter(json.loads(told))
    figures = [
        Figure(ALONE, "ms", tuple(taken[ALONE])),
        Figure(BESIDE, "ms", tuple(taken[BESIDE]), floor=ALONE, bound=BOUND, against=ALONE),
    ]
    return figures, [f"The greedy one had {seen['200']} tokens and {seen['429']} refusals in {seen['seconds']} s."]


def p99(times: list[float]) -> float:
    return statistics.quantiles(times, n=100)[98]


@contextlib.contextmanager
def greed(found: Ground) -> Iterator["subprocess.Popen[str]"]:
    secret = found.headers()["authorization"]
    process = subprocess.Popen(
        [sys.executable, Path(__file__), found.ca], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None
    try:
        process.stdin.write(secret + "\n")
        process.stdin.flush()
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.wait()


async def ask(found: Ground, count: int) -> list[float]:
    """Milliseconds of each answer; one that is no token ends the benchmark."""
    context = tls.client_context(found.ca, environ={})
    reader, writer = await asyncio.open_connection("localhost", PORT, ssl=context)
    taken = []
    for form in found.assertions(count):
        began = time.perf_counter()
        status = await post(reader, writer, form.encode())
        taken.append((time.perf_counter() - began) * 1000)
        assert status == 200, status
        await asyncio.sleep(PAUSE)
    writer.close()
    return taken


async def post(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, body: bytes, header: str = "") -> int:
    head = "POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    writer.write(f"{head}{header}Content-Length: {len(body)}\r\n\r\n".encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    length = next(line for line in answer.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    await reader.readexactly(int(length.partition(b":")[2]))
    return int(answer.split(b" ", 2)[1])


async def greedy(ca: Path, authorization: str) -> None:
    """1,000 a second over kept connections, until standard input ends; then one line of JSON."""
    context = tls.client_context(ca, environ={})
    seen: Counter[str] = Counter()
    began, refused = time.monotonic(), asyncio.Event()

    async def one(context: ssl.SSLContext, number: int) -> None:
        reader, writer = await asyncio.open_connection("localhost", PORT, ssl=context)
        due = time.monotonic() + number / RATE
        while True:
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            due = max(due + CONNECTIONS / RATE, time.monotonic() - 1)
            status = await post(reader, writer, BODY, f"Authorization: {authorization}\r\n")
            seen[str(status)] += 1
            if status == 429:
                refused.set()

    tasks = [asyncio.create_task(one(context, number)) for number in range(CONNECTIONS)]
    await refused.wait()
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        task.cancel()
    seen["seconds"] = round(time.monotonic() - began)
    print(json.dumps(seen))


if __name__ == "__main__":
    asyncio.run(greedy(Path(sys.argv[1]), sys.stdin.readline().strip()))
