"""An attack on a server of this machine, bounded, until its standard input ends: what bench and tests measure beside.

Idle connections (a part with TLS and one answered request, the rest without a handshake) from many addresses of the
loopback network, each opened anew when the server closes it; bodies and handshakes that come byte by byte; and wrong
secrets at a rate, over kept connections. `ready` comes once each was open and the guesses were told to wait; at the
end, one line of JSON says what was seen.
"""

import argparse
import asyncio
import base64
import contextlib
import json
import random
import resource
import ssl
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path

import uvloop

from keyfob import tls

PER_ADDRESS = 500
OPENING = 100
"""Connections that are being opened at a time."""
SPREAD = 3.0
"""Seconds within which a closed one is opened again: they come all the time, and not all at a time."""
GUESSERS = 10
SLOW = 20
"""Slow bodies, and as many slow handshakes."""
SLOWED_WITHIN = 60.0
"""Seconds after which an attack that nobody slows down begins all the same: what was seen says so."""
GET = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


class Idle(asyncio.Protocol):
    def __init__(self) -> None:
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)


class Attack:
    def __init__(self, port: int, context: ssl.SSLContext, client_id: str, wanted: int) -> None:
        self.seen: Counter[str] = Counter()
        self.open = self.most = 0
        self.all_in = asyncio.Event()
        self.slowed_down = asyncio.Event()
        self._port = port
        self._context = context
        self._client_id = client_id
        self._wanted = wanted
        self._opening = asyncio.Semaphore(OPENING)

    async def connect(self, address: str, *, secure: bool) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        async with self._opening:
            return await asyncio.open_connection(
                "127.0.0.1",
                self._port,
                local_addr=(address, 0),
                ssl=self._context if secure else None,
                server_hostname="localhost" if secure else None,
            )

    async def idle(self, number: int, *, secure: bool) -> None:
        address = f"127.2.0.{number // PER_ADDRESS + 1}"
        async with self._opening:
            transport, idle = await asyncio.get_running_loop().create_connection(
                Idle,
                "127.0.0.1",
                self._port,
                local_addr=(address, 0),
                ssl=self._context if secure else None,
                server_hostname="localhost" if secure else None,
            )
        try:
            self._count(+1)
            if secure:
                transport.write(GET)
            await idle.closed
        finally:
            self._count(-1)
            transport.abort()
        await asyncio.sleep(random.uniform(0, SPREAD))

    def _count(self, change: int) -> None:
        self.open += change
        self.most = max(self.most, self.open)
        self.seen["idle connections opened" if change > 0 else "idle connections closed"] += 1
        if self.seen["idle connections opened"] >= self._wanted:
            self.all_in.set()

    async def slow_body(self, number: int) -> None:
        reader, writer = await self.connect(f"127.3.0.{number + 1}", secure=True)
        writer.write(b"POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 60000\r\n\r\n")
        await self._trickle(reader, writer, b"x", "slow bodies given up")

    async def slow_handshake(self, number: int) -> None:
        reader, writer = await self.connect(f"127.3.1.{number + 1}", secure=False)
        writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        await self._trickle(reader, writer, b"\0", "slow handshakes given up")

    async def _trickle(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, piece: bytes, what: str
    ) -> None:
        ended = asyncio.ensure_future(reader.read())
        try:
            while not ended.done():
                writer.write(piece)
                await asyncio.wait([ended], timeout=1)
            await ended
        finally:
            self.seen[what] += 1
            ended.cancel()
            writer.close()

    async def guess(self, number: int, a_second: float) -> None:
        """Wrong secrets over one kept connection, at a rate: also when answers come late."""
        reader, writer = await self.connect("127.0.0.1", secure=True)
        body = b"grant_type=client_credentials"
        due = time.monotonic()
        while True:
            due += 1 / a_second
            await asyncio.sleep(due - time.monotonic())
            self.seen["guesses"] += 1
            pair = base64.b64encode(f"{self._client_id}:guess {number} {self.seen['guesses']}".encode())
            writer.write(
                b"POST /oauth2/token HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic " + pair + b"\r\n"
                b"Content-Type: application/x-www-form-urlencoded\r\n"
                b"Content-Length: " + str(len(body)).encode() + b"\r\n\r\n" + body
            )
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
            await reader.readexactly(int(length.partition(b":")[2]))
            status = head.split(b" ")[1].decode()
            self.seen[f"guesses answered {status}"] += 1
            if status == "429":
                self.slowed_down.set()


async def again(act: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await act()
        except (OSError, EOFError, asyncio.IncompleteReadError):
            await asyncio.sleep(0.5)  # refused: an attacker comes again


async def run(options: argparse.Namespace) -> None:
    attack = Attack(options.port, tls.client_context(options.ca, environ={}), options.client, options.idle)
    acts: list[Callable[[], Awaitable[None]]] = []
    for number in range(options.idle):
        acts.append(lambda number=number: attack.idle(number, secure=number % 50 == 0))
    for number in range(SLOW):
        acts.append(lambda number=number: attack.slow_body(number))
        acts.append(lambda number=number: attack.slow_handshake(number))
    for number in range(GUESSERS):
        acts.append(lambda number=number: attack.guess(number, options.guesses / GUESSERS))
    tasks = [asyncio.create_task(again(act)) for act in acts]
    await attack.all_in.wait()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(attack.slowed_down.wait(), SLOWED_WITHIN)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    seen = dict(attack.seen) | {"idle connections open": attack.open, "at most": attack.most}
    print(json.dumps(seen), flush=True)
    for task in tasks:
        task.cancel()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--ca", type=Path, required=True)
    parser.add_argument("--client", required=True, help="the id whose secret is guessed")
    parser.add_argument("--idle", type=int, default=10_000)
    parser.add_argument("--guesses", type=float, default=200.0, help="wrong secrets a second")
    options = parser.parse_args()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    uvloop.run(run(options))


if __name__ == "__main__":
    main()
