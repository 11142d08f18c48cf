"""PostgreSQL for the server: a pool of connections, what each of them is told, what went wrong in words."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa
from sqlalchemy.pool import QueuePool

from keyfob import libpq
from keyfob.database import Database, Unreachable, tell_no_values
from keyfob.libpq import Place
from keyfob.problem import Misuse

__all__ = ["Place", "open_postgresql"]

_POOL = 8
CONNECTIONS = 16
"""What one process holds at most, unless it says otherwise."""
PAUSE = 15
"""Seconds that a transaction may do nothing: a node that was cut off in a change must not hold its locks for hours."""
_PATIENCE = 2.0
"""Seconds to wait for a free connection, and for the answer to a new one."""
_MIGRATION_LOCK = (
    "SET LOCAL lock_timeout = 0; SET LOCAL statement_timeout = 0; "
    f"SELECT pg_advisory_xact_lock({0x6B66}, 0)"  # the letters kf; the chains of the audit have the next number
)


def open_postgresql(
    place: Place,
    *,
    environ: Mapping[str, str],
    patience: float | None = None,
    connections: int = CONNECTIONS,
    reader_pause: int = PAUSE,
) -> Database:
    """The database at `place`; the first use connects, and raises Unreachable or Misuse that says why it cannot.

    `patience`: seconds that a statement waits for the locks of others; None: half a minute. `connections`: how many
    there are at most. `reader_pause`: seconds that a reader, who holds no lock, may let pass between two questions.
    """
    psycopg = libpq.driver()
    parameters = libpq.parameters(place, environ=environ, patience=_PATIENCE)
    patience = 30.0 if patience is None else patience
    settings = (
        f"SET lock_timeout = {int(patience * 1000)}; SET statement_timeout = {int(patience * 2000)}; "
        f"SET idle_in_transaction_session_timeout = {PAUSE * 1000}; "
        "SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; "
        # Evidence is durable before it counts. `local` and the stronger modes are, and the operator's choice.
        "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
    )

    def connect() -> Any:
        secret = {} if place.password is None else {"password": place.password.reveal()}
        connection = psycopg.connect(**parameters, **secret, autocommit=True)
        if connection.info.parameter_status("server_encoding") != "UTF8":
            connection.close()
            raise Misuse(
                "database-encoding",
                f"{place} is not in UTF8",
                hint="createdb --encoding UTF8 --template template0 NAME",
            )
        connection.execute(settings)
        return connection

    engine = sa.create_engine(
        "postgresql+psycopg://",
        creator=connect,
        poolclass=QueuePool,
        pool_size=_POOL,
        max_overflow=connections - _POOL,
        pool_timeout=_PATIENCE,
        hide_parameters=True,
    )
    tell_no_values(engine)
    pause = f"; SET LOCAL idle_in_transaction_session_timeout = {reader_pause * 1000}"
    return Database(
        engine,
        connections=connections,
        begin_read="BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY" + (pause if reader_pause != PAUSE else ""),
        # Statements see what was committed before each of them: after a lock was waited for, what its owner left.
        begin_write="BEGIN ISOLATION LEVEL READ COMMITTED, READ WRITE",
        explain=lambda failed: _explain(failed, place),
        migration_lock=_MIGRATION_LOCK,
    )


_BUSY = {"55P03": "somebody holds a lock", "57014": "it took too long", "40P01": "a deadlock was dissolved"}


def _explain(failed: sa.exc.DBAPIError, place: Place) -> Unreachable | None:
    """Words for an error that passes, or that an operator mends; the server's own text holds no secret."""
    if (why := _BUSY.get(str(getattr(failed.orig, "sqlstate", None)))) is not None:
        return Unreachable("database-busy", f"{place} does not answer in time: {why}", hint="try again")
    is_lost = failed.connection_invalidated or isinstance(failed, sa.exc.OperationalError | sa.exc.InterfaceError)
    if not is_lost:
        return None
    said = str(failed.orig).strip().splitlines()[0] if str(failed.orig).strip() else type(failed.orig).__name__
    code, message, hint = libpq.explain(place, said)
    return Unreachable(code, message, hint=hint)
