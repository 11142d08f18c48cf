"""Brief writers who come at once share one transaction of SQLite, and with it the flush of the disk.

Each has a savepoint of its own and sees what those before him wrote; what one of them undoes is undone for him alone.
All are answered when all of it is durable, or told that nothing is. On PostgreSQL each has a transaction of his own.
"""

import contextlib
import threading
from collections.abc import Iterator

import sqlalchemy as sa

from keyfob.database import Database

MAX_RIDERS = 32
"""Of one transaction, so that the first is not kept waiting for ever more."""


class _Ride:
    def __init__(self, connection: sa.Connection, commit: contextlib.ExitStack) -> None:
        self.connection = connection
        self.commit = commit
        self.riders = 0
        self.over = threading.Event()
        self.failed: BaseException | None = None


class SharedWrites:
    """Safe to use from threads, beside `database.write()`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._aboard, self._counting = threading.Lock(), threading.Lock()
        self._ride: _Ride | None = None
        self.waiting = 0

    @contextlib.contextmanager
    def write(self) -> Iterator[sa.Connection]:
        """As Database.write, for what takes a moment only: whoever shares the transaction waits for it."""
        if self._database.has_many_writers:
            with self._database.write() as connection:
                yield connection
            return
        ride = self._board()
        try:
            with self._database.told(), _savepoint(ride):
                yield ride.connection
        finally:
            self._leave(ride)
        if ride.failed is not None:
            raise ride.failed

    def _board(self) -> _Ride:
        with self._counting:
            self.waiting += 1
        self._aboard.acquire()
        with self._counting:
            self.waiting -= 1
        try:
            if self._ride is None:
                with contextlib.ExitStack() as stack:
                    connection = stack.enter_context(self._database.write())
                    self._ride = _Ride(connection, stack.pop_all())
        except BaseException:
            self._aboard.release()
            raise
        self._ride.riders += 1
        return self._ride

    def _leave(self, ride: _Ride) -> None:
        """Returns when all that is in the transaction is durable, or none of it is."""
        with self._counting:
            is_last = self.waiting == 0 or ride.riders >= MAX_RIDERS or ride.failed is not None
        if is_last:
            self._ride = None
            failed = ride.failed
            try:
                # By the way of `Database.write`: committed, or undone where something has failed.
                ride.commit.__exit__(None if failed is None else type(failed), failed, None)
            except BaseException as why:
                ride.failed = why
            ride.over.set()
        self._aboard.release()
        ride.over.wait()


@contextlib.contextmanager
def _savepoint(ride: _Ride) -> Iterator[None]:
    connection = ride.connection
    connection.exec_driver_sql("SAVEPOINT rider")
    try:
        yield
        connection.exec_driver_sql("RELEASE rider")
    except BaseException as failed:
        try:
            connection.exec_driver_sql("ROLLBACK TO rider")
            connection.exec_driver_sql("RELEASE rider")
        except sa.exc.DBAPIError:
            # A full disk may have undone the whole transaction, of all who were in it.
            ride.failed = failed
        raise
