"""How many exports run at once: each holds a snapshot of the database until its reader has taken the last byte."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from keyfob.cdms.problems import ApiProblem

_RETRY = {"retry-after": "10"}


class Exports:
    """Counts those of each client and of all. For the event loop alone: not safe to use from threads."""

    def __init__(self, *, per_client: int, in_all: int) -> None:
        self._per_client = per_client
        self._in_all = in_all
        self._running: Counter[str] = Counter()

    @contextmanager
    def running(self, client_id: str) -> Iterator[None]:
        """One export, for as long as the block. Raises ApiProblem: 429 above the client's share, 503 above all's."""
        if self._running[client_id] >= self._per_client:
            raise ApiProblem(
                429,
                "too-many-exports",
                f"{self._per_client} exports of this client are running: read them to their end first",
                headers=_RETRY,
            )
        if self._running.total() >= self._in_all:
            raise ApiProblem(503, "too-many-exports", "too many exports are running: try again later", headers=_RETRY)
        self._running[client_id] += 1
        try:
            yield
        finally:
            self._running.subtract((client_id,))
            self._running = +self._running  # forgets the clients that have none
