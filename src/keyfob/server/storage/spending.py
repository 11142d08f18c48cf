"""What each process let through of what is limited for all of them together, told to the others second by second.

A row is what one process let through since its row before; whoever reads knows from each process how far it has read.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

import sqlalchemy as sa

from keyfob.database import Database
from keyfob.server.storage.schema import spending

_KEPT = 120
"""Seconds; far more than anybody takes to read, or clocks may differ."""

Counts = Mapping[str, int]


@dataclass(slots=True)
class Exchange:
    """`process`: a name that no other has. For one thread."""

    database: Database
    process: str
    _sequence: int = 0
    _heard: dict[str, int] | None = field(default=None)

    def tell(self, news: Counts, now: int) -> list[Counts]:
        """Tells `news`, and returns what the others have let through since the last time; at first, nothing.

        One transaction where there are news, one question where there are none. When it raises, nothing was told.
        """
        chosen = sa.select(spending).where(spending.c.process != self.process)
        if news:
            with self.database.write() as connection:
                connection.execute(sa.delete(spending).where(spending.c.told_at < now - _KEPT))
                told = {"process": self.process, "sequence": self._sequence + 1, "told_at": now}
                connection.execute(sa.insert(spending).values(**told, counted=json.dumps(dict(news))))
                found = connection.execute(chosen).all()
            self._sequence += 1
        else:
            with self.database.read() as connection:
                found = connection.execute(chosen).all()
        before = self._heard
        self._heard = {}
        for row in found:
            self._heard[row.process] = max(row.sequence, self._heard.get(row.process, 0))
        # Who begins does not count what was let through before: it would be paid for twice.
        return (
            []
            if before is None
            else [json.loads(one.counted) for one in found if one.sequence > before.get(one.process, 0)]
        )
