"""A relay that ends TLS before the server, writes down each byte a client sent, and passes it on over verified TLS."""

import asyncio
import contextlib
import re
import ssl
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from keyfob import tls

_CHUNK = 65536


@dataclass
class Connection:
    """What went through one connection, both ways, without its TLS."""

    sent: bytearray = field(default_factory=bytearray)
    received: bytearray = field(default_factory=bytearray)

    def exchanges(self) -> list[tuple[bytes, int]]:
        """Each request by itself, head and body as they came, and the status that it was answered with."""
        statuses = [int(response.split(b" ", 2)[1]) for response in _messages(bytes(self.received), may_break_off=True)]
        return list(zip(_messages(bytes(self.sent)), statuses, strict=True))


def _messages(stream: bytes, *, may_break_off: bool = False) -> list[bytes]:
    """RFC 9112 §6: the messages of one direction. All that come here have no body, or one of a stated length.

    `may_break_off`: a client may leave when it has read the head of an answer, and what is behind it never comes.
    """
    found = []
    while stream:
        head, end, _ = stream.partition(b"\r\n\r\n")
        assert end, "a message whose head has no end"
        assert b"\ntransfer-encoding:" not in head.lower(), "a chunked message: teach the relay where it ends"
        length = re.search(rb"^content-length: *([0-9]+)", head, re.IGNORECASE | re.MULTILINE)
        size = len(head) + len(end) + (int(length[1]) if length else 0)
        assert may_break_off or len(stream) >= size, "a message whose body has no end"
        found.append(stream[:size])
        stream = stream[size:]
    return found


class Relay:
    """Listens at `port` of 127.0.0.1 with a certificate of the `authority`, for the server at `upstream`."""

    def __init__(self, *, authority: Path, certificate: Path, private_key: Path, port: int, upstream: int) -> None:
        self._server = tls.server_context(certificate, private_key)
        self._client: ssl.SSLContext = tls.client_context(authority, environ={})
        self._port, self._upstream = port, upstream
        self._connections: list[Connection] = []

    def take(self) -> list[Connection]:
        """The connections since the last call. What a client was answered to is all in it."""
        taken, self._connections = self._connections, []
        return taken

    @contextlib.contextmanager
    def listening(self) -> Iterator["Relay"]:
        loop = asyncio.new_event_loop()
        # A client that refuses our certificate is what a test wants: no word of it on the terminal.
        loop.set_exception_handler(lambda _loop, _context: None)
        thread = threading.Thread(target=loop.run_forever)
        thread.start()
        listening = asyncio.start_server(self._relay, "127.0.0.1", self._port, ssl=self._server)
        server = asyncio.run_coroutine_threadsafe(listening, loop).result(10)
        try:
            yield self
        finally:
            asyncio.run_coroutine_threadsafe(_close(server), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join()
            loop.close()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connection = Connection()
        self._connections.append(connection)
        with contextlib.suppress(OSError):
            inner_reader, inner_writer = await asyncio.open_connection(
                "127.0.0.1", self._upstream, ssl=self._client, server_hostname="localhost"
            )
            await asyncio.gather(
                _pass_on(reader, inner_writer, connection.sent),
                _pass_on(inner_reader, writer, connection.received),
            )


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, record: bytearray) -> None:
    """Until one side is done, and then the other is told: TLS here has no half-closed connections."""
    try:
        while chunk := await reader.read(_CHUNK):
            record += chunk
            writer.write(chunk)
            await writer.drain()
    finally:
        writer.close()


async def _close(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
