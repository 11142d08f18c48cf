"""A load on one URL from a process of its own: connections that each ask again as soon as they are answered.

Reads one JSON object from its input (see Load), warms up, says `warm`, waits for a line, and then says what it saw.
"""

import asyncio
import itertools
import json
import socket
import ssl
import sys
import threading
import time
from dataclasses import dataclass

import uvloop


@dataclass
class Load:
    """`heads` and `bodies` are given out one after the other, again and again.

    `connect`: "kept", or "full" or "resumed" for a new TLS connection for each request.
    """

    port: int
    heads: list[str]
    bodies: list[str]
    count: int
    warm: int
    connections: int
    ca: str | None = None
    connect: str = "kept"


class Seen:
    def __init__(self) -> None:
        self.milliseconds: list[float] = []
        self.errors = 0
        self.resumed = 0


class Asker(asyncio.Protocol):
    """One kept connection."""

    def __init__(self, requests: "itertools.cycle[bytes]", tickets: "itertools.count[int]", most: int, seen: Seen):
        self.requests, self.tickets, self.most, self.seen = requests, tickets, most, seen
        self.buffer = b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        if next(self.tickets) >= self.most:
            self.transport.close()
            return
        self.began = time.perf_counter()
        self.transport.write(next(self.requests))  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self.buffer[:end].lower()
        at = head.find(b"content-length: ")
        length = int(head[at + 16 :].split(b"\r", 1)[0])
        if len(self.buffer) < end + 4 + length:
            return
        self.seen.milliseconds.append((time.perf_counter() - self.began) * 1000)
        self.seen.errors += self.buffer[9:10] != b"2"
        self.buffer = b""
        self.ask()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def kept(load: Load, requests: "itertools.cycle[bytes]", most: int) -> Seen:
    seen, tickets = Seen(), itertools.count()
    loop = asyncio.get_running_loop()
    context = None if load.ca is None else client_context(load.ca)
    askers = []
    for _ in range(load.connections):
        _, asker = await loop.create_connection(
            lambda: Asker(requests, tickets, most, seen),
            "127.0.0.1",
            load.port,
            ssl=context,
            server_hostname=None if context is None else "localhost",
        )
        askers.append(asker)
    await asyncio.gather(*(asker.done for asker in askers))
    seen.errors += most - len(seen.milliseconds)
    return seen


def client_context(ca: str) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=ca)
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    return context


def anew(load: Load, requests: "itertools.cycle[bytes]", most: int) -> Seen:
    """Each request on a connection of its own, in threads."""
    assert load.ca is not None
    seen, tickets = Seen(), itertools.count()
    turn = threading.Lock()

    def ask() -> None:
        context = client_context(load.ca or "")
        session = None
        while next(tickets) < most:
            began = time.perf_counter()
            with socket.create_connection(("127.0.0.1", load.port)) as plain:
                plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                with context.wrap_socket(plain, server_hostname="localhost", session=session) as connection:
                    with turn:
                        request = next(requests)
                    connection.sendall(request)
                    answer = connection.recv(16384)
                    while b"\r\n\r\n" not in answer:
                        answer += connection.recv(16384)
                    is_resumed = bool(connection.session_reused)
                    if load.connect == "resumed":
                        session = connection.session
            with turn:
                seen.milliseconds.append((time.perf_counter() - began) * 1000)
                seen.errors += answer[9:10] != b"2"
                seen.resumed += is_resumed

    threads = [threading.Thread(target=ask) for _ in range(load.connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return seen


def main() -> None:
    load = Load(**json.loads(sys.stdin.readline()))
    most = max(len(load.heads), len(load.bodies))
    pairs = itertools.islice(zip(itertools.cycle(load.heads), itertools.cycle(load.bodies), strict=False), most)
    requests = itertools.cycle(
        f"{head}content-length: {len(body)}\r\n\r\n{body}".encode("latin-1") for head, body in pairs
    )

    def run(most: int) -> Seen:
        return uvloop.run(kept(load, requests, most)) if load.connect == "kept" else anew(load, requests, most)

    run(load.warm)
    print("warm", flush=True)
    sys.stdin.readline()
    began = time.perf_counter()
    seen = run(load.count)
    seconds = time.perf_counter() - began
    told = {
        "seconds": seconds,
        "errors": seen.errors,
        "resumed": seen.resumed,
        "milliseconds": [round(one, 3) for one in seen.milliseconds],
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
