"""Very many clients and audit records, made directly in the store: what the commands would leave, in less than days.

The clients are as `client create` leaves them, each with a secret of its own that `pair` knows again; the records come
through the very code that records grants, so that their chains are true.
"""

import hashlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import sqlalchemy as sa
from ground import API

from keyfob import client_secret
from keyfob.ambient import system_clock, system_entropy
from keyfob.secret import Secret
from keyfob.server import installation
from keyfob.server.installation import Installation
from keyfob.server.secret_hash import hash_secret
from keyfob.server.storage import schema
from keyfob.server.storage.records import TokenIssued

_ROWS = 5000
_YEAR = 365 * 86400


def pair(number: int) -> tuple[str, str]:
    """The id and the secret of the client with that number."""
    return f"cl_bulk{number:09}", _secret(number).reveal()


def _secret(number: int) -> Secret:
    return client_secret.make(f"bulk{number:09}", hashlib.sha256(b"bench %d" % number).digest())


def opened(home: Path, environ: dict[str, str]) -> Installation:
    return installation.open(home, environ=environ, entropy=system_entropy)


def add_clients(made: Installation, count: int, *, first: int = 0) -> None:
    """Numbers `first` to `count`, of the partner that is there."""
    now, database = system_clock(), made.store._database
    with database.read() as connection:
        partner = connection.execute(sa.select(schema.partner.c.id)).scalars().first()
        like = connection.execute(sa.select(schema.client).where(schema.client.c.name == "bench")).one()._asdict()
    for start in range(first, count, _ROWS):
        numbers = range(start, min(count, start + _ROWS))
        with database.write() as connection:
            for table, rows in _rows(made, numbers, dict(like), str(partner), now):
                connection.execute(sa.insert(table), rows)


def _rows(
    made: Installation, numbers: range, like: dict[str, object], partner: str, now: int
) -> Iterator[tuple[sa.Table, list[dict[str, object]]]]:
    ids = {number: (f"cl_bulk{number:09}", f"bulk{number:09}") for number in numbers}
    yield (
        schema.client,
        [like | {"id": one, "name": one, "partner_id": partner, "created_at": now} for one, _ in ids.values()],
    )
    yield schema.client_resource, [{"client_id": one, "resource": API, "position": 0} for one, _ in ids.values()]
    granted = {"resource": API, "scope": "a:read", "is_default": False, "granted_at": now}
    yield schema.client_grant, [granted | {"client_id": one} for one, _ in ids.values()]
    yield (
        schema.credential,
        [
            {
                "id": credential,
                "client_id": one,
                "generation": 1,
                "state": "active",
                "secret_hash": hash_secret(_secret(number), made.peppers[0]),
                "not_before": now,
                "expires_at": now + _YEAR,
                "created_at": now,
                "overlap": 7 * 86400,
            }
            for number, (one, credential) in ids.items()
        ],
    )
    seen = {"sealed_at": now, "first_used_at": now, "first_used_from": "127.0.0.1"}
    yield schema.credential_observation, [seen | {"credential_id": credential} for _, credential in ids.values()]


def add_records(made: Installation, count: int, *, clients: int) -> None:
    """Grants of the first `clients`, as many records."""
    now = system_clock()
    jtis = (secrets.token_hex(16) for _ in range(count))
    kid = made.store.signing_keys()[0].kid
    for first in range(0, count, _ROWS):
        numbers = range(first, min(count, first + _ROWS))
        made.store.record_grants([_grant(number % clients, next(jtis), kid, now) for number in numbers], now)


def _grant(number: int, jti: str, kid: str, now: int) -> TokenIssued:
    return TokenIssued(
        jti=jti,
        client_id=f"cl_bulk{number:09}",
        credential_id=f"bulk{number:09}",
        resource=API,
        scope=frozenset({"a:read"}),
        authorization_details=(),
        kid=kid,
        expires_at=now + 300,
        address="127.0.0.1",
        request_id=jti,
        may_be_first=False,
    )
