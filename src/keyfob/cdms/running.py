"""The requests with an Idempotency-Key that are being done: the same one again is not begun beside the first."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from keyfob.cdms.problems import ApiProblem
from keyfob.held_names import HeldNames


class Running:
    """By client and key. For the event loop alone.

    `beside`: the SQLite database, whose other processes are asked, too; None on PostgreSQL, whose transactions know of
    each other (see Writing.claim_key).
    """

    def __init__(self, beside: Path | None = None) -> None:
        self._running: set[str] = set()
        self._anywhere = None if beside is None else HeldNames(beside.with_name(f"{beside.name}.running"))

    @contextmanager
    def of(self, client_id: str, key: str) -> Iterator[None]:
        """For as long as the block. Raises ApiProblem (409) when the first is not answered yet.

        draft-ietf-httpapi-idempotency-key-header §2.6.
        """
        asked = f"{client_id} {key}"
        if asked in self._running or (self._anywhere is not None and not self._anywhere.hold(asked)):
            raise still_running()
        self._running.add(asked)
        try:
            yield
        finally:
            self._running.discard(asked)
            if self._anywhere is not None:
                self._anywhere.let_go(asked)


def still_running() -> ApiProblem:
    return ApiProblem(
        409,
        "still-running",
        "the first request with this Idempotency-Key is not answered yet",
        headers={"retry-after": "1"},
    )
