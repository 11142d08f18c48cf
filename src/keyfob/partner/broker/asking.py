"""The broker in the place of the issuer: for a TokenSource, who gets a token that is not in this process's memory."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from keyfob.partner.broker import peer, wire
from keyfob.partner.broker.wire import MalformedLine, Question
from keyfob.partner.errors import VaultProblem
from keyfob.partner.held import HeldToken, Wish
from keyfob.partner.steps import Steps, local

_SECONDS = 60
"""The broker itself waits for the issuer, and for gpg."""


@dataclass(frozen=True, slots=True)
class Broker:
    """The broker at `path`, for one client. `clock` is monotonic."""

    path: Path
    issuer: str
    client_id: str
    clock: Callable[[], float]

    def ask(self, wish: Wish, *, patient: bool, refused: HeldToken | None = None) -> Steps[HeldToken]:
        """Raises as the issuer's does, and VaultProblem where there is no broker: nobody asks in its place."""
        question = Question(self.client_id, wish, None if refused is None else wire.digest(refused))
        return (yield from local(lambda: self._ask(question)))

    def _ask(self, question: Question) -> HeldToken:
        peer.check_possible()
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
                connection.settimeout(_SECONDS)
                connection.connect(str(self.path))
                peer.check(connection)
                connection.sendall(wire.write_question(question))
                with connection.makefile("rb") as answer:
                    return wire.read_answer(answer.readline(wire.MAX_BYTES + 1), now=self.clock())
        except (OSError, MalformedLine) as failed:
            why = failed.strerror if isinstance(failed, OSError) and failed.strerror else str(failed)
            raise VaultProblem(
                "no-broker",
                f"there is no broker at {self.path}: {why}",
                hint="start it: keyfob broker; or unset KEYFOB_BROKER",
            ) from None
