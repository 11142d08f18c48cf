"""Writers who come at once share one transaction of SQLite, and with it the flush of the disk.

They come one after the other, in one thread. Each has a savepoint of its own and sees what those before him wrote; what
one of them undoes is undone for him alone. None is to be answered before all of it is durable; where it cannot be, none
of it is. On PostgreSQL, where writers run side by side, each has a transaction of his own.
"""

import contextlib
import threading
from collections.abc import Iterator

import sqlalchemy as sa

from keyfob.database import Database
from keyfob.prepared import Prepared

_SAVEPOINT, _RELEASE, _ROLLBACK = (
    Prepared(sa.text(f"{verb} rider")) for verb in ("SAVEPOINT", "RELEASE", "ROLLBACK TO")
)


class _Ride:
    """A transaction that begins with its first writer."""

    def __init__(self, database: Database, commit: contextlib.ExitStack) -> None:
        self._database = database
        self._commit = commit
        self._connection: sa.Connection | None = None
        self.failed: BaseException | None = None

    def board(self) -> sa.Connection:
        if self.failed is not None:
            raise self.failed
        if self._connection is None:
            self._connection = self._commit.enter_context(self._database.write())
        return self._connection


class SharedWrites:
    """Safe to use from threads, beside `database.write()`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._here = threading.local()

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """All that this thread writes within the block is durable at its end, or the block raises: nothing is written.

        It should take a moment only: nobody else writes meanwhile.
        """
        if self._database.has_many_writers:
            yield
            return
        with contextlib.ExitStack() as commit:
            ride = _Ride(self._database, commit)
            self._here.ride = ride
            try:
                yield
            finally:
                self._here.ride = None
            if ride.failed is not None:
                raise ride.failed

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """As Database.write, but for a writer within `together`: what he wrote is durable when that ends."""
        ride: _Ride | None = getattr(self._here, "ride", None)
        if ride is None:
            with self._database.write() as connection:
                yield connection
            return
        connection = ride.board()
        with self._database.told(), _savepoint(ride, connection):
            yield connection


@contextlib.contextmanager
def _savepoint(ride: _Ride, connection: sa.Connection) -> Iterator[None]:
    _SAVEPOINT.run(connection, {})
    try:
        yield
        _RELEASE.run(connection, {})
    except BaseException as failed:
        try:
            _ROLLBACK.run(connection, {})
            _RELEASE.run(connection, {})
        except sa.exc.DBAPIError:
            # A full disk may have undone the whole transaction, of all who were in it.
            ride.failed = failed
        raise
