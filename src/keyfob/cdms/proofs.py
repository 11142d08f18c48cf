"""The guard's memory of used DPoP proofs, in the store: one for all workers and nodes, and it outlives a restart."""

import hashlib
from collections.abc import Mapping, Sequence

from keyfob.ambient import Clock
from keyfob.cdms.storage.store import Store
from keyfob.group_commit import GroupCommit, Unavailable
from keyfob.guard import IssuerUnavailable

_PATIENCE = 10.0
"""Seconds. On SQLite a proof waits behind a file that is being stored."""
_REMEMBERED = 60
"""Seconds after its end: one that was judged in its last second, or by a slower clock, comes to be written later."""


class _Used(Exception):
    """Somebody presented it before."""


class StoredReplays:
    """See keyfob.guard.Replays. Proofs that come at once are written in one commit."""

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._commits = GroupCommit(self._write, what="proofs", patience=_PATIENCE)

    async def use(self, name: str, *, until: int, now: int) -> bool:
        try:
            await self._commits.append((hashlib.sha256(name.encode()).digest(), until))
        except _Used:
            return False
        except Unavailable as away:
            # Not admitted: a proof that nobody remembers could come again.
            raise IssuerUnavailable(detail="used proofs cannot be written") from away
        return True

    def _write(self, proofs: Sequence[tuple[bytes, int]]) -> Mapping[int, Exception]:
        used = self._store.use_proofs(proofs, forget_before=self._clock() - _REMEMBERED, patience=_PATIENCE)
        return {place: _Used() for place in used}
