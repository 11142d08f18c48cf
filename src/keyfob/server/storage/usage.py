"""What guards told of the use of scopes, and what was narrowed by it: rows in, records out."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

import sqlalchemy as sa

from keyfob.oauth.usage_report import UNNAMED, Report, Use
from keyfob.server.storage import schema
from keyfob.server.storage.records import ResourceGrant

_use, _reporter, _narrowing = schema.scope_use, schema.usage_reporter, schema.narrowing

MAX_ROUTES = 500
"""Of one client at one resource; what comes beyond is counted without its route."""
_FORGET_AFTER = 400 * 24 * 3600


@dataclass(frozen=True, slots=True)
class ScopeUse:
    """The sum of one route's use of a scope. Dates in seconds since 1970."""

    resource: str
    scope: str
    method: str
    route: str
    count: int
    first_used_at: int
    last_used_at: int


@dataclass(frozen=True, slots=True)
class Watched:
    """A time in which one process of an API told all that it saw."""

    began_at: int
    until: int


@dataclass(frozen=True, slots=True)
class Narrowing:
    """The grants of a client before and after it was narrowed to what it used."""

    narrowed_at: int
    before: tuple[ResourceGrant, ...]
    after: tuple[ResourceGrant, ...]


def take(connection: sa.Connection, resource: str, report: Report, *, now: int) -> bool:
    """Add a report to the sums; False when it was added before. The caller sees to it that nobody does so beside it."""
    here = (_reporter.c.resource == resource) & (_reporter.c.reporter == report.reporter)
    known = connection.execute(sa.select(_reporter.c.sequence).where(here)).scalar_one_or_none()
    # Of another time is what a wrong clock says: it must not look like a use of today, or of next year.
    until = min(report.until, now)
    if known is None:
        row = {"resource": resource, "reporter": report.reporter, "began_at": min(report.began_at, until)}
        connection.execute(sa.insert(_reporter).values(row | {"sequence": report.sequence, "until": until}))
        connection.execute(sa.delete(_reporter).where(_reporter.c.until < now - _FORGET_AFTER))
    elif report.sequence <= known:
        return False
    else:
        connection.execute(sa.update(_reporter).where(here).values(sequence=report.sequence, until=until))
    clients = _known_clients(connection, {use.client_id for use in report.uses})
    for use in report.uses:
        if use.client_id in clients:
            _add(connection, resource, use, now)
    return True


def _known_clients(connection: sa.Connection, names: set[str]) -> set[str]:
    chosen = sa.select(schema.client.c.id).where(schema.client.c.id.in_(sorted(names)))
    return set(connection.execute(chosen).scalars())


def _add(connection: sa.Connection, resource: str, use: Use, now: int) -> None:
    of_client = (_use.c.client_id == use.client_id) & (_use.c.resource == resource)
    used_at = min(use.last_used, now)

    def add_to(route: str) -> bool:
        here = of_client & (_use.c.scope == use.scope) & (_use.c.method == use.method) & (_use.c.route == route)
        later = sa.case((_use.c.last_used_at < used_at, used_at), else_=_use.c.last_used_at)
        values = {"count": _use.c.count + use.count, "last_used_at": later}
        return connection.execute(sa.update(_use).where(here).values(values)).rowcount == 1

    if add_to(use.route):
        return
    routes = connection.execute(sa.select(sa.func.count()).select_from(_use).where(of_client)).scalar_one()
    route = use.route if routes < MAX_ROUTES else UNNAMED
    if route == use.route or not add_to(route):
        row = {"client_id": use.client_id, "resource": resource, "scope": use.scope, "method": use.method}
        dates = {"first_used_at": used_at, "last_used_at": used_at}
        connection.execute(sa.insert(_use).values(row | dates | {"route": route, "count": use.count}))


def of_client(connection: sa.Connection, client_id: str) -> tuple[ScopeUse, ...]:
    """All that is known of a client's use, the most used routes first."""
    chosen = sa.select(_use).where(_use.c.client_id == client_id).order_by(_use.c.count.desc(), _use.c.route)
    rows = [row._asdict() for row in connection.execute(chosen)]
    return tuple(ScopeUse(**{name: value for name, value in row.items() if name != "client_id"}) for row in rows)


def watched(connection: sa.Connection, resource: str) -> tuple[Watched, ...]:
    """The times in which processes of an API told, the earliest first."""
    chosen = sa.select(_reporter.c.began_at, _reporter.c.until).where(_reporter.c.resource == resource)
    return tuple(Watched(*row) for row in connection.execute(chosen.order_by(_reporter.c.began_at)))


def granted_at(connection: sa.Connection, client_id: str) -> Mapping[tuple[str, str], int]:
    """Since when a client holds each (resource, scope)."""
    table = schema.client_grant
    chosen = sa.select(table.c.resource, table.c.scope, table.c.granted_at).where(table.c.client_id == client_id)
    return {(resource, scope): at for resource, scope, at in connection.execute(chosen)}


def find_narrowing(connection: sa.Connection, client_id: str) -> Narrowing | None:
    row = connection.execute(sa.select(_narrowing).where(_narrowing.c.client_id == client_id)).one_or_none()
    return None if row is None else Narrowing(row.narrowed_at, _read(row.before), _read(row.after))


def put_narrowing(connection: sa.Connection, client_id: str, narrowing: Narrowing | None) -> None:
    """In place of the one before; None: there is nothing to undo any more."""
    connection.execute(sa.delete(_narrowing).where(_narrowing.c.client_id == client_id))
    if narrowing is not None:
        texts = {"before": _write(narrowing.before), "after": _write(narrowing.after)}
        row = {"client_id": client_id, "narrowed_at": narrowing.narrowed_at}
        connection.execute(sa.insert(_narrowing).values(row | texts))


def _write(grants: tuple[ResourceGrant, ...]) -> str:
    return json.dumps(
        [
            [grant.resource, sorted(grant.scope), None if grant.default_scope is None else sorted(grant.default_scope)]
            for grant in grants
        ]
    )


def _read(text: str) -> tuple[ResourceGrant, ...]:
    return tuple(
        ResourceGrant(resource, frozenset(scope), None if default is None else frozenset(default))
        for resource, scope, default in json.loads(text)
    )
