"""How often a client may ask, told in every answer (draft-ietf-httpapi-ratelimit-headers)."""

import math

from keyfob.cdms.problems import ApiProblem
from keyfob.serving.rates import Bucket

_PERIOD = 60
Headers = tuple[tuple[bytes, bytes], ...]


class Allowance:
    """`per_minute` requests of each client, 0 for as many as it likes. For the event loop alone."""

    def __init__(self, per_minute: int) -> None:
        self._size = per_minute
        self._bucket = Bucket(max(per_minute, 1), _PERIOD)
        self.policy: Headers = (
            () if per_minute == 0 else ((b"ratelimit-policy", f'"requests";q={per_minute};w={_PERIOD}'.encode()),)
        )
        """What also those are told whom we do not know."""

    def take(self, client_id: str, now: float) -> tuple[Headers, int]:
        """What the client is told of its allowance, and the seconds that it must wait: 0 when it may go on."""
        if self._size == 0:
            return (), 0
        wait = self._bucket.take(client_id, now)
        left = self._bucket.left(client_id, now)
        full = math.ceil((self._size - left) * _PERIOD / self._size)
        return (*self.policy, (b"ratelimit", f'"requests";r={int(left)};t={full}'.encode())), wait


def too_many(wait: int) -> ApiProblem:
    """RFC 6585 §4."""
    return ApiProblem(
        429, "too-many-requests", "this client asks too often: wait a moment", headers={"retry-after": str(wait)}
    )
