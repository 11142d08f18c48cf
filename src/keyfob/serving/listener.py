"""One process, or several on one port, that serve an ASGI application over HTTPS until they are told to stop.

The line `ready https://…` comes once requests can be answered; SIGTERM and SIGINT drain; changed certificate files are
taken up while running.
"""

import asyncio
import contextlib
import errno
import gc
import logging
import os
import signal
import socket
import ssl
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from keyfob import tls
from keyfob.oauth.trusted_proxies import NOBODY, TrustedProxies
from keyfob.problem import Problem
from keyfob.serving.events import write_logs
from keyfob.serving.gate import Gate, Guest
from keyfob.serving.handshake import Anchors
from keyfob.serving.leaving import Leaving
from keyfob.serving.limits import Limits
from keyfob.serving.messages import App
from keyfob.serving.protocol import StrictProtocol
from keyfob.serving.reception import Reception, within_descriptors
from keyfob.serving.workers import run_workers

_log = logging.getLogger("keyfob.serving")

_DRAIN = 7
"""Seconds for running requests after SIGTERM; with what surrounds them, the process ends within ten."""
_KEEP_ALIVE = 75
"""Seconds that an idle connection stays open."""
_TICKS_PER_CHECK = 20
"""uvicorn ticks ten times a second: certificates are looked at every two seconds."""
_OBJECTS = 50_000
"""New ones that are there at once before cycles are looked for among them."""
_USUAL = Limits()


@dataclass(frozen=True, slots=True)
class _Front:
    """What a process needs to serve: sockets that are bound, and what holds at them."""

    listeners: list[socket.socket]
    context: ssl.SSLContext | None
    pair: tuple[Path, Path] | None
    limits: Limits
    trusted_proxies: TrustedProxies


def serve(
    app: App,
    *,
    host: str,
    port: int,
    certificate: Path | None,
    private_key: Path | None,
    ready: str,
    limits: Limits = _USUAL,
    trusted_proxies: TrustedProxies = NOBODY,
    anchors: Anchors | None = None,
) -> None:
    """Serve `app` from this process: serve_workers with one of them."""
    serve_workers(
        lambda: contextlib.nullcontext(app),
        workers=1,
        host=host,
        port=port,
        certificate=certificate,
        private_key=private_key,
        ready=ready,
        limits=limits,
        trusted_proxies=trusted_proxies,
        anchors=anchors,
    )


def serve_workers(
    open_app: Callable[[], contextlib.AbstractContextManager[App]],
    *,
    workers: int,
    host: str,
    port: int,
    certificate: Path | None,
    private_key: Path | None,
    ready: str,
    limits: Limits = _USUAL,
    trusted_proxies: TrustedProxies = NOBODY,
    anchors: Anchors | None = None,
) -> None:
    """Serve the application until SIGTERM or SIGINT. Without a certificate it speaks plain HTTP: to a proxy only.

    `open_app` is entered in the process that serves, and left when it has drained. `ready` is the URL in the ready
    line. `trusted_proxies` are those whom the limits of a network are not for. Several `workers` are processes
    that accept from the same sockets; the limits are counted by each. With `anchors`, clients are asked for a
    certificate, and the application learns of it by the TLS extension of ASGI.

    Raises Problem when the address cannot be had or the certificate is unusable.
    """
    write_logs()
    pair = None if certificate is None or private_key is None else (certificate, private_key)
    # Made once for all workers: a TLS session that began with one of them is resumed by any.
    context = None if pair is None else tls.server_context(*pair)
    if context is not None and anchors is not None:
        anchors.attach(context)
    listeners = _bind(host, port)
    # The ready line has the public URL: behind a proxy, or with --port, that is somewhere else.
    _log.info("listening host=%s port=%s", host, port)
    front = _Front(listeners, context, pair, limits, trusted_proxies)

    # What is there by now stays: no collection looks through it again, and workers share it.
    gc.collect()
    gc.freeze()

    def announce() -> None:
        print(f"ready {ready}", flush=True)  # noqa: T201  # the documented line on stdout

    def work(parent: int | None, started: Callable[[], None]) -> None:
        with open_app() as app:
            _collect_seldom()
            _run(app, front, started, parent)

    try:
        if workers == 1:
            work(None, announce)
        else:
            run_workers(work, count=workers, announce=announce)
    finally:
        for listener in listeners:
            listener.close()


def _collect_seldom() -> None:
    """What is there stays, and what a request makes goes without a collection; to look for what does not, every few
    hundred objects, costs a fifth of a transfer and a twentieth of a token."""
    gc.freeze()
    gc.set_threshold(_OBJECTS, 20, 20)


def _run(app: App, front: _Front, started: Callable[[], None], parent: int | None) -> None:
    leaving = Leaving(app)
    config = uvicorn.Config(
        leaving,
        http=StrictProtocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_DRAIN,
        interface="asgi3",
        proxy_headers=False,
    )
    gate = Gate(within_descriptors(front.limits), trusted_proxies=front.trusted_proxies)
    server = _Server(config, started, front.context, front.pair, gate, parent, leaving)
    server.run(sockets=front.listeners)
    if not server.started:
        raise Problem("not-started", "the server could not start", hint="the log above says why")


class _Server(uvicorn.Server):
    def __init__(
        self,
        config: uvicorn.Config,
        announce: Callable[[], None],
        context: ssl.SSLContext | None,
        pair: tuple[Path, Path] | None,
        gate: Gate,
        parent: int | None,
        leaving: Leaving,
    ) -> None:
        super().__init__(config)
        self._leaving = leaving
        self._announce = announce
        self._parent = parent
        self._context = context
        self._pair = pair
        self._gate = gate
        self._reception: Reception | None = None
        self._seen = self._stamp()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=[])  # the application's start; connections are accepted by the reception
        if self.started:
            loop = asyncio.get_running_loop()

            def make_protocol(guest: Guest) -> StrictProtocol:
                return StrictProtocol(self.config, self.server_state, self.lifespan.state, loop, guest=guest)

            self._reception = Reception(sockets or [], self._gate, make_protocol, self._context)
            self._reception.open()
            self._announce()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        if self._reception is not None:
            await self._leaving.tell()
            await self._reception.close()
        await super().shutdown(sockets=sockets)

    async def on_tick(self, counter: int) -> bool:
        if counter % _TICKS_PER_CHECK == 0:
            self._take_up_changed_certificate()
        if self._parent is not None and os.getppid() != self._parent:
            self.should_exit = True  # whoever would tell this worker to stop is gone
        return await super().on_tick(counter)

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """As the base, but a drained stop is a success: the signal is not raised again afterwards."""
        # A worker stops when its parent says so: a terminal sends SIGINT to all of them at once.
        wanted = (signal.SIGINT, signal.SIGTERM) if self._parent is None else (signal.SIGTERM,)
        before = {number: signal.signal(number, self.handle_exit) for number in wanted}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def _stamp(self) -> tuple[tuple[int, int, int], ...]:
        try:
            states = [path.stat() for path in self._pair or ()]
        except OSError:
            return ()  # being replaced just now: looked at again in two seconds
        return tuple((state.st_mtime_ns, state.st_size, state.st_ino) for state in states)

    def _take_up_changed_certificate(self) -> None:
        stamp = self._stamp()
        if self._context is None or self._pair is None or stamp in (self._seen, ()):
            return
        self._seen = stamp
        try:
            # First into a context of its own: a pair that does not fit must not leave half of it in the live one.
            tls.server_context(*self._pair)
            self._context.load_cert_chain(*self._pair)
        except (Problem, OSError) as unusable:
            _log.error("certificate_refused file=%s reason=%s (the old one is served on)", self._pair[0], unusable)
        else:
            _log.info("certificate_taken_up file=%s", self._pair[0])


def _bind(host: str, port: int) -> list[socket.socket]:
    """Listening sockets on every address of `host`."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as unknown:
        raise Problem(
            "unknown-host", f"{host} is no address of this machine", hint="give --host an address"
        ) from unknown
    bound: list[socket.socket] = []
    refused: OSError | None = None
    for family, _, _, _, address in found:
        listener = socket.socket(family, socket.SOCK_STREAM)
        try:
            if sys.platform != "win32":  # there the option would let two servers share a port
                listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            listener.bind(address)
            listener.listen(4096)
            bound.append(listener)
        except OSError as failed:
            listener.close()
            # A machine without IPv6 still has the other address of localhost; a taken port is taken.
            if failed.errno == errno.EADDRNOTAVAIL and len(found) > 1:
                refused = failed
                continue
            for other in bound:
                other.close()
            raise _cannot_listen(host, port, failed) from failed
    if not bound:
        raise _cannot_listen(host, port, refused) from refused
    return bound


def _cannot_listen(host: str, port: int, failed: OSError | None) -> Problem:
    number = failed.errno if failed else None
    if number == errno.EADDRINUSE:
        return Problem("port-in-use", f"port {port} of {host} is in use", hint="stop the other program, or give --port")
    if number == errno.EACCES:
        return Problem("port-forbidden", f"port {port} needs more rights", hint="give --port a number above 1023")
    return Problem(
        "cannot-listen", f"cannot listen on {host} port {port}", hint="give --host an address of this machine"
    )
