"""The broker's own end: a socket that nobody else may use, and for each client one source of tokens.

What is asked for is held against what was registered at `receive`: whoever may ask gets no more here than with the
vault itself.
"""

import contextlib
import os
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from keyfob import home
from keyfob.partner.broker import peer, wire
from keyfob.partner.broker.wire import MalformedLine, Question
from keyfob.partner.errors import ScopeNotHeld, VaultProblem
from keyfob.partner.held import HeldToken, Wish
from keyfob.partner.token_source import TokenSource
from keyfob.partner.vault.entries import Entry
from keyfob.problem import Misuse, Problem

_SECONDS = 60
_MAX_GIVEN = 1_000
Open = Callable[[str], tuple[TokenSource, Entry]]
"""A client's source and the entry that it was made of. Raises Problem for a client that is not in the vault."""


class Tokens:
    """What the broker holds: in memory only, for as long as it runs."""

    def __init__(self, opened: Open) -> None:
        self._open = opened
        self._lock = threading.Lock()
        self._sources: dict[str, tuple[TokenSource, Entry]] = {}
        self._given: dict[tuple[str, Wish], HeldToken] = {}

    def answer(self, question: Question) -> tuple[HeldToken, float]:
        """The token, and now on the clock of its times. Raises Problem."""
        with self._lock:
            known = self._sources.get(question.client_id)
            source, entry = known or self._open(question.client_id)
            self._sources[question.client_id] = source, entry
            given = self._given.get((question.client_id, question.wish))
        wish = question.wish
        if wish.resource not in entry.resource:
            raise VaultProblem(
                "another-resource", f"{entry.client_id} has no credential for that API", hint="see vault"
            )
        if missing := (wish.scope or frozenset()) - entry.scope:
            named = " ".join(sorted(missing))
            raise ScopeNotHeld(named, f"this client does not hold the scope {named}", held=entry.scope)
        refused = given if given is not None and wire.digest(given) == question.refused else None
        held = source.token_for(wish, refused)
        with self._lock:
            self._given[question.client_id, wish] = held
            if len(self._given) > _MAX_GIVEN:
                del self._given[next(iter(self._given))]  # who refuses that one gets the source's own answer
        return held, source.now()


class _Handler(socketserver.StreamRequestHandler):
    timeout = _SECONDS
    server: "_Server"

    def handle(self) -> None:
        with contextlib.suppress(OSError, MalformedLine):
            try:
                peer.check(self.connection)
                held, now = self.server.tokens.answer(wire.read_question(self.rfile.readline(wire.MAX_BYTES + 1)))
            except Problem as problem:
                self.wfile.write(wire.write_problem(problem))
            else:
                self.wfile.write(wire.write_token(held, now=now).reveal_bytes())


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    request_queue_size = 512

    def __init__(self, path: Path, tokens: Tokens) -> None:
        self.tokens = tokens
        super().__init__(str(path), _Handler)

    def handle_error(self, request: object, client_address: object) -> None:
        """What goes wrong with one who asks is no matter of the others, and of nobody's log."""


@contextlib.contextmanager
def serving(path: Path, tokens: Tokens) -> Iterator[socketserver.BaseServer]:
    """A server that listens at `path`, in a folder of this user's own (0700), until the block ends.

    Raises Misuse when another broker is there, and Problem when others may enter the folder.
    """
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    home.check_private(path.parent)
    _check_free(path)
    before = os.umask(0o177)
    try:
        server = _Server(path, tokens)
    except OSError as failed:
        raise Misuse("broker-socket", f"{path} cannot be used: {failed.strerror or failed}", hint="--socket") from None
    finally:
        os.umask(before)
    try:
        with server:
            yield server
    finally:
        path.unlink(missing_ok=True)


def _check_free(path: Path) -> None:
    """A socket that nobody listens at is what a broker has left that was killed."""
    if not path.is_socket():
        if path.exists():
            raise Misuse("broker-socket", f"{path} is there already, and is no socket", hint="name another: --socket")
        return
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
            return
    raise Misuse("broker-runs", f"a broker runs at {path} already", hint="use it: KEYFOB_BROKER")
