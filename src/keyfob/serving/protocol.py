"""RFC 9112 on the wire, stricter than the library: bounded heads, slow peers given up, and greedy ones read slowly.

A subclass of uvicorn's httptools protocol, which is semi-private: the version is pinned in pyproject.toml, and
tests/serving holds each behaviour that this file counts on.
"""

import asyncio
import json
from typing import Any

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from keyfob.ambient import system_entropy
from keyfob.serving.gate import Guest
from keyfob.serving.gathering import Gathered
from keyfob.serving.handshake import tls_extension
from keyfob.serving.messages import SECURITY_HEADERS

MAX_HEAD_BYTES = 32 * 1024
MAX_HEADERS = 64
HEAD_DEADLINE = 10.0
"""Seconds from a request's first byte (or the connection's begin) to the end of its headers."""
BODY_GRACE = 20.0
"""Seconds after which a body must have come at MIN_BODY_RATE on average."""
MIN_BODY_RATE = 4096
"""Bytes a second."""
WRITE_DEADLINE = 45.0
"""Seconds that a peer may leave its response unread."""
LINGER = 1.0
"""Seconds that a refused connection is still read from: closing over unread bytes would reset it, answer and all."""
PROGRESS = 64 * 1024
"""Bytes of a body that count as progress: so slow an upload is not the longest idle connection."""
_TICK = 5.0


class _Refused(Exception):
    """Raised inside the parser's callbacks, where it becomes its callback error."""


class _Flow(FlowControl):
    """Reading that two may pause: the application for as long as it has enough, and the gate for a time."""

    is_held = False

    def pause_reading(self) -> None:
        self.read_paused = True
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        if self.read_paused:
            self.read_paused = False
            self._apply()

    def hold(self) -> None:
        self.is_held = True
        self._transport.pause_reading()

    def release(self) -> None:
        self.is_held = False
        self._apply()

    def _apply(self) -> None:
        if not self.is_held and not self.read_paused and not self._transport.is_closing():
            self._transport.resume_reading()


class StrictProtocol(HttpToolsProtocol):
    """One connection. A timer looks at it every few seconds; the path of a request itself arms none."""

    def __init__(self, *args: Any, guest: Guest, **options: Any) -> None:
        super().__init__(*args, **options)
        self._guest = guest
        self._flow: _Flow
        self._held_since = 0.0
        self._is_deaf = False
        """Nothing more is read."""
        self._malformed: str | None = None
        self._in_head = True
        self._completed = 0
        self._head_bytes = 0
        self._body_bytes = 0
        self._reading_since: float | None = None
        self._unread_since: float | None = None
        self._watch: asyncio.TimerHandle | None = None
        self._tls: dict[object, object] | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in the base
        super().connection_made(transport)
        self.transport = Gathered(transport, self.loop)  # type: ignore[assignment]  # with all that a transport has
        self.flow = self._flow = _Flow(transport)
        self._guest.close = transport.abort
        self._tls = tls_extension(transport.get_extra_info("ssl_object"))
        self._guest.waits()
        self._reading_since = self.loop.time()
        self._watch = self.loop.call_later(_TICK, self._look)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._watch is not None:
            self._watch.cancel()
        self._guest.leaves()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._is_deaf:
            return
        self._pay(len(data))
        in_head, completed = self._in_head, self._completed
        super().data_received(data)
        if in_head and self._in_head and self._completed == completed:
            self._head_bytes += len(data)
            # The parser gives a header only when it is whole: an endless one is seen here alone.
            if self._head_bytes > MAX_HEAD_BYTES and not self._is_deaf:
                self.send_400_response("the request's head is too large")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        if self._tls is not None:
            self.scope["extensions"] = {"tls": self._tls}
        self._in_head, self._head_bytes, self._body_bytes = True, 0, 0
        self._reading_since = self.loop.time()

    def on_url(self, url: bytes) -> None:
        super().on_url(url)
        if len(self.url) > MAX_HEAD_BYTES:
            raise _Refused

    def on_header(self, name: bytes, value: bytes) -> None:
        super().on_header(name, value)
        self._head_bytes += len(name) + len(value)
        if len(self.headers) > MAX_HEADERS or self._head_bytes > MAX_HEAD_BYTES:
            raise _Refused

    def on_headers_complete(self) -> None:
        self._in_head = False
        is_upgrade = self.parser.should_upgrade()
        # The parser takes what follows an offer to upgrade (RFC 9110 §7.8) for another protocol's: a body would be
        # lost, or read as a request of its own. None is taken up here; the request is answered, as the last one.
        if is_upgrade and any(
            (name == b"content-length" and value != b"0") or name == b"transfer-encoding"
            for name, value in self.headers
        ):
            raise _Refused
        super().on_headers_complete()
        if is_upgrade:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        before = self._body_bytes
        self._body_bytes += len(body)
        if self._body_bytes // PROGRESS > before // PROGRESS:
            self._guest.waits()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._reading_since, self._in_head, self._head_bytes = None, True, 0
        self._completed += 1
        super().on_message_complete()
        self._tell_whose_turn()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._tell_whose_turn()
        if self._malformed is not None and not self._is_our_turn() and not self.transport.is_closing():
            self._write_400(self._malformed)

    def pause_writing(self) -> None:
        self._unread_since = self.loop.time()
        self._guest.waits()
        super().pause_writing()

    def resume_writing(self) -> None:
        self._unread_since = None
        self._tell_whose_turn()
        super().resume_writing()

    def _tell_whose_turn(self) -> None:
        if self._is_our_turn():
            self._guest.works()
        else:
            self._guest.waits()

    def _is_our_turn(self) -> bool:
        """Whether a whole request is unanswered."""
        if self.pipeline:
            return True
        return self.cycle is not None and not self.cycle.more_body and not self.cycle.response_complete

    def _pay(self, count: int) -> None:
        """Bytes that came. Beyond the network's budget, nothing more is read for a time."""
        now = self.loop.time()
        wait = self._guest.spend(count, now)
        if wait > 0 and not self._flow.is_held:
            self._held_since = now
            self._flow.hold()
            self.loop.call_later(wait, self._release)

    def _release(self) -> None:
        if self._reading_since is not None:
            self._reading_since += self.loop.time() - self._held_since  # it was we who did not read
        self._flow.release()

    def send_400_response(self, msg: str) -> None:
        """Nothing more is read; the refusal is said in its turn, and never inside another answer."""
        self._is_deaf = True
        if self._is_our_turn():
            self._malformed = msg
        elif self.cycle is None or self.cycle.response_complete or not self.cycle.response_started:
            self._write_400(msg)
        else:
            self.transport.abort()

    def _write_400(self, msg: str) -> None:
        # What the parser refuses never reaches the edge: the id that every answer carries is made here.
        request_id = system_entropy(16).hex()
        self.logger.info("request_malformed reason=%s id=%s", msg, request_id)
        body = json.dumps({"error": "invalid_request", "error_description": msg, "error_id": request_id}).encode()
        headers = (
            *SECURITY_HEADERS,
            (b"content-type", b"application/json"),
            (b"cache-control", b"no-store"),
            (b"keyfob-request-id", request_id.encode()),
            (b"connection", b"close"),
            (b"content-length", str(len(body)).encode()),
        )
        head = b"".join(name + b": " + value + b"\r\n" for name, value in headers)
        self.transport.write(STATUS_LINE[400] + head + b"\r\n" + body)
        if self.cycle is not None:
            self.cycle.disconnected = True  # an application that still waits for the body has nobody to answer
            self.cycle.message_event.set()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER, self.transport.close)

    def _look(self) -> None:
        now = self.loop.time()
        if self._too_slow(now):
            self.transport.abort()
            return
        self._watch = self.loop.call_later(_TICK, self._look)

    def _too_slow(self, now: float) -> bool:
        if self._unread_since is not None and now - self._unread_since > WRITE_DEADLINE:
            return True
        # Behind an unfinished response, and beyond the network's budget, it is we who do not read.
        if self._reading_since is None or self.pipeline or self._flow.is_held:
            return False
        waited = now - self._reading_since
        if self._in_head:
            return waited > HEAD_DEADLINE
        return waited > BODY_GRACE and self._body_bytes < MIN_BODY_RATE * waited
