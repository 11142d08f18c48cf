"""Accepting: the gate is asked before a handshake costs anything, and a handshake that lingers is given up.

The listeners are accepted from here and not by the event loop's own server, which tells of a TLS connection only when
its handshake is done: those that never are would be counted by nobody.
"""

import asyncio
import contextlib
import dataclasses
import logging
import socket
import ssl
import sys
from collections.abc import Callable, Sequence

from keyfob.serving.gate import Gate, Guest
from keyfob.serving.limits import Limits

_log = logging.getLogger("keyfob.serving")

HANDSHAKE_DEADLINE = 10.0
"""Seconds from a TCP connection to its first byte, and from there to the end of its TLS handshake."""
_RESERVED_DESCRIPTORS = 256
"""For everything that is no connection: the database, certificates, connections that are just closing."""
_SWEEP_EVERY = 0.1
_SLICE = 20
"""Connections that are accepted, or closed for their silence, in a row: thousands may come or end at once."""
_PAUSE = 0.05
"""Seconds before accepting is tried again when the system has no more to give."""
_MINUTE = 60.0

MakeProtocol = Callable[[Guest], asyncio.Protocol]


class _Tally:
    """Told of at most once a minute: a flood must not fill the log, either."""

    def __init__(self, event: str) -> None:
        self._event = event
        self._count = 0
        self._told_at: float | None = None

    def tell(self, last: str, now: float) -> None:
        self._count += 1
        if self._told_at is None or now - self._told_at >= _MINUTE:
            _log.warning("%s count=%d last=%s", self._event, self._count, last)
            self._count, self._told_at = 0, now


class Reception:
    """`context` None: plain TCP. `listeners` are bound, and stay the caller's."""

    def __init__(
        self,
        listeners: Sequence[socket.socket],
        gate: Gate,
        make_protocol: MakeProtocol,
        context: ssl.SSLContext | None,
    ) -> None:
        self._listeners = listeners
        self._gate = gate
        self._make_protocol = make_protocol
        self._context = context
        self._running: list[asyncio.Task[None]] = []
        self._silent: dict[Guest, tuple[socket.socket, float]] = {}
        self._welcoming: set[asyncio.Task[None]] = set()
        self._turned_away = _Tally("connections_turned_away")
        self._certificates_refused = _Tally("client_certificates_refused")

    def open(self) -> None:
        self._running = [asyncio.create_task(self._accept(listener)) for listener in self._listeners]
        self._running.append(asyncio.create_task(self._sweep()))

    async def close(self) -> None:
        """Nobody comes in any more, and who was silent or still shaking hands is let go."""
        tasks = [*self._running, *self._welcoming]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        for guest in list(self._silent):
            self._give_up(guest)

    async def _accept(self, listener: socket.socket) -> None:
        loop = asyncio.get_running_loop()
        listener.setblocking(False)
        while True:
            try:
                self._admit(*await loop.sock_accept(listener))
                # More than one in a turn of the loop: a full queue of the system's would drop whoever comes next.
                with contextlib.suppress(BlockingIOError):
                    for _ in range(_SLICE):
                        self._admit(*listener.accept())
            except OSError as failed:
                # The peer has gone again, or descriptors ran out: whoever has been idle longest gives one back.
                _log.warning("accept_failed errno=%s", failed.errno)
                self._gate.make_room()
                await asyncio.sleep(_PAUSE)

    def _admit(self, connection: socket.socket, address: tuple[str, int]) -> None:
        loop = asyncio.get_running_loop()
        guest = self._gate.admit(address[0], loop.time())
        if guest is None:
            connection.close()
            self._turned_away.tell(address[0], loop.time())
        else:
            self._await_first_byte(connection, guest, loop)

    def _await_first_byte(self, connection: socket.socket, guest: Guest, loop: asyncio.AbstractEventLoop) -> None:
        """The client speaks first, in HTTP and in TLS: until it does, it costs no more than its socket."""
        connection.setblocking(False)
        self._silent[guest] = (connection, loop.time() + HANDSHAKE_DEADLINE)
        guest.close = lambda: self._give_up(guest)
        try:
            loop.add_reader(connection, self._begin, guest)
        except NotImplementedError:  # one of Windows' event loops cannot be asked
            self._begin(guest)

    def _begin(self, guest: Guest) -> None:
        connection, _ = self._silent.pop(guest)
        loop = asyncio.get_running_loop()
        with contextlib.suppress(NotImplementedError):  # where no reader could be added, there is none to remove
            loop.remove_reader(connection)
        task = loop.create_task(self._welcome(connection, guest))
        guest.close = task.cancel
        self._welcoming.add(task)
        task.add_done_callback(self._welcoming.discard)

    def _give_up(self, guest: Guest) -> None:
        connection, _ = self._silent.pop(guest)
        asyncio.get_running_loop().remove_reader(connection)
        connection.close()
        guest.leaves()

    async def _sweep(self) -> None:
        """Those who say nothing for too long; they came in this order."""
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(_SWEEP_EVERY)
            closed = 0
            while self._silent and next(iter(self._silent.values()))[1] < loop.time():
                self._give_up(next(iter(self._silent)))
                closed += 1
                if closed % _SLICE == 0:
                    await asyncio.sleep(0)

    async def _welcome(self, connection: socket.socket, guest: Guest) -> None:
        is_in = False
        loop = asyncio.get_running_loop()
        try:
            peer = connection.getpeername()[0]
            # What other connections of its network read beyond the budget, a new one waits for, too.
            await asyncio.sleep(guest.spend(0, loop.time()))
            await loop.connect_accepted_socket(
                lambda: self._make_protocol(guest),
                connection,
                ssl=self._context,
                ssl_handshake_timeout=None if self._context is None else HANDSHAKE_DEADLINE,
            )
            is_in = True
        except ssl.SSLCertVerificationError as refused:
            # Of all that a handshake may fail for, what an operator has to know to help a partner.
            self._certificates_refused.tell(f"{peer} reason={refused.verify_message!r}", loop.time())
        except OSError as failed:  # also what TLS refuses, and a handshake that took too long
            _log.debug("handshake_failed reason=%s", failed)
        finally:
            if not is_in:
                guest.leaves()
                connection.close()


def within_descriptors(limits: Limits) -> Limits:
    """`limits` with as many connections as this process may have open, after raising that number where it can be."""
    if sys.platform == "win32":  # sockets are no descriptors there
        return limits
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = limits.max_connections + _RESERVED_DESCRIPTORS
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        if soft < needed:
            room = max(1, soft - _RESERVED_DESCRIPTORS)
            _log.warning("connections_limited max=%d descriptors=%d (raise the limit of open files)", room, soft)
            return dataclasses.replace(limits, max_connections=room)
    return limits
