"""Head and body of a response leave together: one write to the system, and one record of TLS, where there were two."""

import asyncio
from typing import Any

_SMALL = 16 * 1024
"""Bytes of a body that are copied to go with their head; what is longer follows it."""


class Gathered:
    """A transport that keeps the head of a response until its body comes, or until the loop's turn is over."""

    __slots__ = ("_held", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._held = b""

    def write(self, content: bytes) -> None:
        if self._held:
            if len(content) <= _SMALL:
                content, self._held = self._held + content, b""
            else:
                self._flush()
            self._transport.write(content)
        elif content.startswith(b"HTTP/1.1 "):
            self._held = content
            self._loop.call_soon(self._flush)
        else:
            self._transport.write(content)

    def close(self) -> None:
        self._flush()
        self._transport.close()

    def write_eof(self) -> None:
        self._flush()
        self._transport.write_eof()

    def abort(self) -> None:
        self._held = b""
        self._transport.abort()

    def _flush(self) -> None:
        if self._held:
            held, self._held = self._held, b""
            self._transport.write(held)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
