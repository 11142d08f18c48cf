"""The requests with an Idempotency-Key that are being done: the same one again is not begun beside the first."""

from collections.abc import Iterator
from contextlib import contextmanager

from keyfob.cdms.problems import ApiProblem


class Running:
    """By client and key; of this process. For the event loop alone."""

    def __init__(self) -> None:
        self._running: set[tuple[str, str]] = set()

    @contextmanager
    def of(self, client_id: str, key: str) -> Iterator[None]:
        """For as long as the block. Raises ApiProblem (409) when the first is not answered yet.

        draft-ietf-httpapi-idempotency-key-header §2.6.
        """
        asked = client_id, key
        if asked in self._running:
            raise still_running()
        self._running.add(asked)
        try:
            yield
        finally:
            self._running.discard(asked)


def still_running() -> ApiProblem:
    return ApiProblem(
        409,
        "still-running",
        "the first request with this Idempotency-Key is not answered yet",
        headers={"retry-after": "1"},
    )
