"""The vault in a PostgreSQL database, over TLS that is verified in full: `sslmode=verify-full`, also on this machine.

Anything weaker is refused, a Unix socket too: its peer shows no certificate. A password stands in KEYFOB_VAULT or in a
pass file, and never on a command line. Needs the extra `postgres`.
"""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from keyfob import libpq
from keyfob.libpq import Place
from keyfob.partner.errors import VaultProblem
from keyfob.partner.vault import sql
from keyfob.partner.vault.sql import SqlStore
from keyfob.problem import Misuse

_PATIENCE = 5.0
"""Seconds for a connection."""
_SETTINGS = (
    "SET lock_timeout = 30000; SET statement_timeout = 60000; SET idle_in_transaction_session_timeout = 60000; "
    "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'"
)
_WRITER = "SELECT pg_advisory_xact_lock(27494, 10)"  # 27494: the letters kf, of the server's locks; 10, 11: the vault's
_ROTATOR = "SELECT pg_advisory_lock(27494, 11)"
_IS_THERE = "SELECT to_regclass('keyfob_vault') IS NOT NULL"


class PostgresqlStore(SqlStore):
    """`Store` over a database, see keyfob.partner.vault.stores."""

    usual_key_file = None

    def __init__(self, place: Place, installation_id: str, environ: Mapping[str, str]) -> None:
        super().__init__(str(place), installation_id)
        self._place = place
        self._environ = environ

    @classmethod
    def find(cls, url: str, *, environ: Mapping[str, str]) -> "PostgresqlStore | None":
        place = read_place(url)
        with _transaction(place, environ) as connection:
            if not connection.execute(_IS_THERE).fetchone()[0]:
                return None
            rows = connection.execute(sql.MARKED).fetchall()
        return cls(place, sql.check_mark(rows, str(place)), environ)

    @classmethod
    def create(cls, url: str, *, new_id: Callable[[], str], environ: Mapping[str, str]) -> "PostgresqlStore":
        place = read_place(url)
        with _transaction(place, environ) as connection:
            connection.execute(_WRITER)
            if not connection.execute(_IS_THERE).fetchone()[0]:
                for statement in sql.TABLES:
                    connection.execute(statement.format(bytes="bytea"))
                connection.execute(sql.MARK, (sql.VERSION, new_id()))
        found = cls.find(url, environ=environ)
        assert found is not None
        return found

    @contextlib.contextmanager
    def _reading(self) -> Iterator["_Transaction"]:
        with _transaction(self._place, self._environ) as connection:
            yield connection

    @contextlib.contextmanager
    def _writing(self) -> Iterator["_Transaction"]:
        with _transaction(self._place, self._environ) as connection:
            connection.execute(_WRITER)
            yield connection

    @contextlib.contextmanager
    def rotating(self) -> Iterator[None]:
        with _connected(self._place, self._environ) as connection:
            connection.execute("SET lock_timeout = 0")
            connection.execute(_ROTATOR)  # let go with the connection, however it ends
            yield


class _Transaction:
    """psycopg writes its placeholders otherwise."""

    def __init__(self, connection: Any) -> None:
        self._connection = connection

    def execute(self, statement: str, values: Sequence[object] = ()) -> Any:
        return self._connection.execute(statement.replace("?", "%s"), values)


def read_place(url: str) -> Place:
    """Raises Misuse for what is no URL, or could be answered by anybody else; never repeats the URL."""
    try:
        place = Place.parse(url)
    except ValueError as wrong:
        raise Misuse("bad-vault", f"the database of --vault {wrong}", hint="mend the URL") from None
    if place.parameters.get("sslmode", libpq.VERIFIED) != libpq.VERIFIED:
        raise Misuse(
            "weak-tls",
            "the database of --vault is not reached by TLS that is verified in full",
            hint="sslmode=verify-full, with sslrootcert=CA.pem where its authority is a private one",
        )
    if any(host.startswith("/") for host in place.parameters["host"].split(",")):
        raise Misuse("weak-tls", "the database of --vault shows no certificate on a socket", hint="name its host")
    return replace(place, parameters={**place.parameters, "sslmode": libpq.VERIFIED})


@contextlib.contextmanager
def _transaction(place: Place, environ: Mapping[str, str]) -> Iterator[_Transaction]:
    with _connected(place, environ) as connection, connection.transaction():
        yield _Transaction(connection)


@contextlib.contextmanager
def _connected(place: Place, environ: Mapping[str, str]) -> Iterator[Any]:
    psycopg = libpq.driver()
    secret = {} if place.password is None else {"password": place.password.reveal()}
    try:
        told = libpq.parameters(place, environ=environ, patience=_PATIENCE)
        with psycopg.connect(**told, **secret, autocommit=True) as connection:
            if not connection.pgconn.ssl_in_use:
                raise VaultProblem("weak-tls", f"{place} was reached without TLS", hint="sslmode=verify-full")
            connection.execute(_SETTINGS)
            yield connection
    except psycopg.errors.InsufficientPrivilege:
        hint = "let this user create tables in its schema once, or read and write them"
        raise VaultProblem("database-refused", f"{place} does not let this user in", hint=hint) from None
    except psycopg.errors.LockNotAvailable:
        raise VaultProblem("vault-busy", f"another program has held {place} too long", hint="try again") from None
    except psycopg.Error as failed:
        said = str(failed).strip().splitlines()
        code, message, hint = libpq.explain(place, said[0] if said else type(failed).__name__)
        raise VaultProblem(code, message, hint=hint) from None
